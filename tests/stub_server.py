"""A real HTTP server on loopback that sends prepared responses."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class StubResponse:
    """One prepared response.

    :ivar body: bytes are sent unchanged, other values as JSON
    :ivar missing: number of bytes that Content-Length announces but that are not sent
    :ivar delay: seconds before the response
    :ivar endless: sent again and again after the body, until the client closes the connection
    """

    body: Any = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    missing: int = 0
    delay: float = 0.0
    endless: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request; its body is parsed from JSON, None without a body."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class StubServer:
    """Sends ``responses[path]`` in order, and repeats the last one.

    :ivar url: root, without a slash at the end
    :ivar clock_offset: how far the clock is ahead of this host's, seconds
    :ivar requests: all requests so far
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock_offset = 0.0
        self.responses: dict[str, list[StubResponse]] = {}
        self._deciders: dict[str, Callable[[ReceivedRequest], StubResponse]] = {}
        self.requests: list[ReceivedRequest] = []

    def respond(self, path: str, *responses: StubResponse) -> None:
        """Set the responses to requests for a path."""
        self.responses[path] = list(responses)

    def decide(self, path: str, decider: Callable[[ReceivedRequest], StubResponse]) -> None:
        """Let a function choose the responses to requests for a path."""
        self._deciders[path] = decider

    def next_response(self, request: ReceivedRequest) -> StubResponse:
        """Record a request; return its response."""
        self.requests.append(request)
        if request.path in self._deciders:
            return self._deciders[request.path](request)
        responses = self.responses.get(request.path, [StubResponse({"error": "nothing here"}, 404)])
        return responses.pop(0) if len(responses) > 1 else responses[0]


class _Handler(http.server.BaseHTTPRequestHandler):
    stub: StubServer

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.stub.clock_offset)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _handle(self) -> None:
        path, _, query_text = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        query = urllib.parse.parse_qs(query_text, keep_blank_values=True)
        response = self.stub.next_response(
            ReceivedRequest(self.command, path, query, dict(self.headers), body)
        )
        time.sleep(response.delay)
        content, content_type = response.body, "text/html"
        if not isinstance(content, bytes):
            content, content_type = json.dumps(content).encode(), "application/json"
        # The client may have given up.
        with contextlib.suppress(ConnectionError):
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.send_header("Content-Type", content_type)
            if not response.endless:
                self.send_header("Content-Length", str(len(content) + response.missing))
            self.end_headers()
            self.wfile.write(content)
            while response.endless:
                self.wfile.write(response.endless)


@contextlib.contextmanager
def run_stub_server(tls: ssl.SSLContext | None = None) -> Iterator[StubServer]:
    """Serve until the context ends, with ``tls`` by HTTPS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    if tls is not None:
        # The thread of each connection does its handshake.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    stub = StubServer(f"{scheme}://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"stub": stub})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
