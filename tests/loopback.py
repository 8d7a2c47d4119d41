"""A real HTTP server on loopback that plays recorded answers."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """One answer.

    :ivar body: bytes as they are, anything else as JSON
    :ivar missing: bytes of the body that are announced and never sent
    :ivar delay: seconds before anything is sent
    """

    body: Any = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    missing: int = 0
    delay: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request; the body is parsed from JSON, None where there is none."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Loopback:
    """Plays ``answers[path]`` in order, the last one again and again.

    :ivar url: without a slash at the end
    :ivar received: all requests
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, list[Played]] = {}
        self.received: list[Received] = []

    def play(self, path: str, *answers: Played) -> None:
        self.answers[path] = list(answers)

    def answer(self, received: Received) -> Played:
        self.received.append(received)
        played = self.answers.get(received.path, [Played({"error": "nothing here"}, 404)])
        return played.pop(0) if len(played) > 1 else played[0]


@contextlib.contextmanager
def serving() -> Iterator[Loopback]:
    """Serve until the context is left."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _handle(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parsed = urllib.parse.parse_qs(query, keep_blank_values=True)
            played = loopback.answer(Received(self.command, path, parsed, dict(self.headers), body))
            time.sleep(played.delay)
            content, kind = played.body, "text/html"
            if not isinstance(content, bytes):
                content, kind = json.dumps(content).encode(), "application/json"
            # The caller may have given up waiting.
            with contextlib.suppress(ConnectionError):
                self.send_response(played.status)
                for name, value in played.headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content) + played.missing))
                self.end_headers()
                self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loopback = Loopback(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
