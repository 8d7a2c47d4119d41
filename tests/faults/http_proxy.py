"""An HTTP proxy before one real service; it injects planned faults."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.faults.listener import HOST, Listener, is_closed_by_peer, reset, running_listener

_SET_BY_PROXY = {
    "connection",
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "server",
    "date",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Requests of one kind.

    :ivar method: GET or POST
    :ivar path: regular expression that is found in the path
    :ivar body: byte strings that are all found in the body
    """

    method: str
    path: str
    body: tuple[bytes, ...] = ()

    def has(self, method: str, path: str, body: bytes) -> bool:
        """Tell whether a request is one of these."""
        return (
            method == self.method
            and re.search(self.path, path) is not None
            and all(part in body for part in self.body)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """A response of the service."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request that waits for its response.

    :ivar proxy: the proxy that received it
    """

    def __init__(self, proxy: Proxy, handler: http.server.BaseHTTPRequestHandler, body: bytes):
        self.proxy = proxy
        self._handler = handler
        self._body = body

    def forward(self) -> Response:
        """Return the service's response."""
        upstream = self.proxy.upstream
        connection = http.client.HTTPConnection(upstream.hostname or HOST, upstream.port)
        headers = {
            name: value
            for name, value in self._handler.headers.items()
            if name.lower() not in ("connection", "accept-encoding", "content-length")
        }
        try:
            connection.request(self._handler.command, self._handler.path, self._body, headers)
            response = connection.getresponse()
            return Response(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()

    def respond(self, response: Response, missing: int = 0) -> None:
        """Send a response.

        :param missing: number of bytes that are announced but not sent
        """
        handler = self._handler
        handler.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in _SET_BY_PROXY:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(response.body) + missing))
        handler.end_headers()
        handler.wfile.write(response.body)
        handler.wfile.flush()

    def trickle(self, piece: bytes, pause: float) -> None:
        """Send ``piece`` repeatedly until the client disconnects or the proxy closes."""
        with contextlib.suppress(OSError):
            while not self.wait(pause):
                self._handler.wfile.write(piece)
                self._handler.wfile.flush()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the client disconnects or the proxy closes; False: not within ``seconds``."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            if self.proxy.closing.wait(0.05) or is_closed_by_peer(self._handler.connection):
                return True
        return False

    def hang_up(self) -> None:
        """Reset the connection."""
        self._handler.close_connection = True
        reset(self._handler.connection)


#: Handles an exchange; False: it could not inject its fault, so it does not count.
Fault = Callable[[Exchange], bool]


@dataclasses.dataclass(slots=True)
class _FaultPlan:
    place: Place
    fault: Fault
    first: int
    times: int | None
    matches: int = 0
    injections: int = 0


class Proxy:
    """Forwards requests, and injects planned faults.

    :param url: the service's root
    :param replacements: URLs to replace in responses, so that a catalogue leads here
    :ivar closing: set when the proxy ends
    """

    def __init__(self, url: str, replacements: Mapping[str, str] | None = None) -> None:
        self.upstream = urlsplit(url)
        self.closing = threading.Event()
        self.listener = Listener(self._serve)
        self.replacements = dict(replacements or {})
        self._plans: list[_FaultPlan] = []
        self._lock = threading.Lock()
        self.injection_times: list[float] = []

    @property
    def url(self) -> str:
        """The proxy's root."""
        return f"http://{HOST}:{self.listener.port}{self.upstream.path}"

    def plan(self, place: Place, fault: Fault, first: int = 1, times: int | None = 1) -> None:
        """Inject a fault into ``times`` requests of a place, from the ``first`` on; None: all."""
        self._plans.append(_FaultPlan(place, fault, first, times))

    def clear_faults(self) -> None:
        """Forget all plans, and open the listener."""
        self._plans.clear()
        self.injection_times.clear()
        self.listener.open()

    @property
    def injections(self) -> int:
        """Number of faults injected."""
        return len(self.injection_times)

    def handle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Handle one request."""
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        exchange = Exchange(self, handler, body)
        plan = self._next_fault(handler.command, handler.path, body)
        if plan is None or not self._inject(plan, exchange):
            exchange.respond(self._replace_urls(exchange.forward()))

    def _next_fault(self, method: str, path: str, body: bytes) -> _FaultPlan | None:
        with self._lock:
            for plan in self._plans:
                if plan.place.has(method, path, body):
                    plan.matches += 1
                    is_complete = plan.times is not None and plan.injections >= plan.times
                    if plan.matches >= plan.first and not is_complete:
                        plan.injections += 1
                        return plan
        return None

    def _inject(self, plan: _FaultPlan, exchange: Exchange) -> bool:
        is_injected = False
        try:
            is_injected = plan.fault(exchange)
        finally:
            if is_injected:
                self.injection_times.append(time.monotonic())
            else:
                # Nothing to change, or a client that had given up: the next request gets the fault.
                with self._lock:
                    plan.injections -= 1
        return is_injected

    def _replace_urls(self, response: Response) -> Response:
        body = response.body
        for old, new in self.replacements.items():
            body = body.replace(old.encode(), new.encode())
        return dataclasses.replace(response, body=body)

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Handler(client, client.getpeername(), self)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, client: socket.socket, address: Any, proxy: Proxy) -> None:
        self._proxy = proxy
        super().__init__(client, address, proxy)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._proxy.handle(self)

    def do_POST(self) -> None:
        self._proxy.handle(self)

    def do_HEAD(self) -> None:
        self._proxy.handle(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def run_proxy(url: str) -> Iterator[Proxy]:
    """Serve until the context ends."""
    proxy = Proxy(url)
    with running_listener(proxy.listener):
        try:
            yield proxy
        finally:
            proxy.closing.set()
