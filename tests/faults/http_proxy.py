"""An HTTP proxy before one real service; it misbehaves by a script."""

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

from tests.faults.door import HOST, Door, gone, opened, reset

_BY_HAND = {"connection", "content-length", "transfer-encoding", "keep-alive", "server", "date"}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Requests of one kind.

    :ivar method: GET or POST
    :ivar path: pattern that is found in the path
    :ivar body: all of it are found in the body
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
class Answer:
    """What the service said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request that waits for its answer.

    :ivar proxy: where it came in
    """

    def __init__(self, proxy: Proxy, handler: http.server.BaseHTTPRequestHandler, body: bytes):
        self.proxy = proxy
        self._handler = handler
        self._body = body

    def forward(self) -> Answer:
        """Ask the service itself."""
        upstream = self.proxy.upstream
        connection = http.client.HTTPConnection(upstream.hostname or HOST, upstream.port)
        headers = {
            name: value
            for name, value in self._handler.headers.items()
            if name.lower() not in ("connection", "accept-encoding", "content-length")
        }
        try:
            connection.request(self._handler.command, self._handler.path, self._body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers.items()), answer.read())
        finally:
            connection.close()

    def answer(self, answer: Answer, missing: int = 0) -> None:
        """Answer.

        :param missing: bytes that are announced but do not come
        """
        handler = self._handler
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _BY_HAND:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body) + missing))
        handler.end_headers()
        handler.wfile.write(answer.body)
        handler.wfile.flush()

    def trickle(self, piece: bytes, pause: float) -> None:
        """Send ``piece`` again and again until the caller goes away or the proxy closes."""
        with contextlib.suppress(OSError):
            while not self.wait(pause):
                self._handler.wfile.write(piece)
                self._handler.wfile.flush()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the caller goes away or the proxy closes; tell whether that happened."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            if self.proxy.closing.wait(0.05) or gone(self._handler.connection):
                return True
        return False

    def hang_up(self) -> None:
        """Reset the connection."""
        self._handler.close_connection = True
        reset(self._handler.connection)


#: Deals with an exchange; False: there was nothing to break, so it does not count.
PolicyMismatch = Callable[[Exchange], bool]


@dataclasses.dataclass(slots=True)
class _Planned:
    place: Place
    fault: PolicyMismatch
    first: int
    times: int | None
    seen: int = 0
    injected: int = 0


class Proxy:
    """Passes everything on, but for what was planned.

    :param url: the service's root
    :param moved: addresses to replace in answers; so that a catalogue leads here
    :ivar closing: set when the proxy ends
    """

    def __init__(self, url: str, moved: Mapping[str, str] | None = None) -> None:
        self.upstream = urlsplit(url)
        self.closing = threading.Event()
        self.door = Door(self._serve)
        self.moved = dict(moved or {})
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        self.injected_at: list[float] = []

    @property
    def url(self) -> str:
        """Our own root."""
        return f"http://{HOST}:{self.door.port}{self.upstream.path}"

    def plan(
        self, place: Place, fault: PolicyMismatch, first: int = 1, times: int | None = 1
    ) -> None:
        """Break ``times`` requests of a kind in a row, the ``first`` on; None: all of them."""
        self._planned.append(_Planned(place, fault, first, times))

    def heal(self) -> None:
        """Behave from now on."""
        self._planned.clear()
        self.injected_at.clear()
        self.door.open()

    @property
    def injected(self) -> int:
        """Number of faults injected."""
        return len(self.injected_at)

    def handle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Deal with one request."""
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        exchange = Exchange(self, handler, body)
        planned = self._due(handler.command, handler.path, body)
        if planned is None or not self._broken(planned, exchange):
            exchange.answer(self._moved(exchange.forward()))

    def _due(self, method: str, path: str, body: bytes) -> _Planned | None:
        with self._lock:
            for one in self._planned:
                if one.place.has(method, path, body):
                    one.seen += 1
                    enough = one.times is not None and one.injected >= one.times
                    if one.seen >= one.first and not enough:
                        one.injected += 1
                        return one
        return None

    def _broken(self, planned: _Planned, exchange: Exchange) -> bool:
        done = False
        try:
            done = planned.fault(exchange)
        finally:
            if done:
                self.injected_at.append(time.monotonic())
            else:
                # Nothing to break, or a caller who had given up before: the next one gets it.
                with self._lock:
                    planned.injected -= 1
        return done

    def _moved(self, answer: Answer) -> Answer:
        body = answer.body
        for old, new in self.moved.items():
            body = body.replace(old.encode(), new.encode())
        return dataclasses.replace(answer, body=body)

    def _serve(self, caller: socket.socket) -> None:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Handler(caller, caller.getpeername(), self)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, caller: socket.socket, address: Any, proxy: Proxy) -> None:
        self._proxy = proxy
        super().__init__(caller, address, proxy)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._proxy.handle(self)

    def do_POST(self) -> None:
        self._proxy.handle(self)

    def do_HEAD(self) -> None:
        self._proxy.handle(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Serve until the context is left."""
    proxy = Proxy(url)
    with opened(proxy.door):
        try:
            yield proxy
        finally:
            proxy.closing.set()
