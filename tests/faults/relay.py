"""A TCP relay before a database server; it cuts and holds connections by a script."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import socket
import threading
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from tests.faults.door import HOST, Door, gone, opened, reset
from tests.faults.wire import Doing, MysqlStream, PostgresqlStream, Stream

_CHUNK = 1 << 16


class Moment(enum.Enum):
    """When something happens to a message of the client's.

    :cvar BEFORE: it is not forwarded
    :cvar MIDDLE: half of it is forwarded
    :cvar UNANSWERED: the server has done it; its answer is kept back
    :cvar ANSWERED: the client has the answer
    """

    BEFORE = "before"
    MIDDLE = "in the middle"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"


@dataclasses.dataclass(slots=True)
class _Planned:
    doing: Doing
    moment: Moment
    first: int
    times: int | None
    act: Callable[[Relay], None]
    stall: bool
    seen: int = 0
    injected: int = 0


class Relay:
    """Passes everything on, but for what was planned.

    :param url: SQLAlchemy URL of a database; over TCP or a Unix socket
    :ivar committed_at: when each transaction with frames was committed and answered
    """

    def __init__(self, url: str) -> None:
        self._real = sa.make_url(url)
        self._family, self._address = _address(self._real)
        self.closing = threading.Event()
        self.door = Door(self._serve)
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        self.injected_at: list[float] = []
        self.committed_at: list[float] = []

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database through us."""
        return self._real.set(host=HOST, port=self.door.port, query={}).render_as_string(
            hide_password=False
        )

    def plan(
        self,
        doing: Doing,
        moment: Moment,
        first: int = 1,
        times: int | None = 1,
        act: Callable[[Relay], None] = lambda _: None,
        stall: bool = False,
    ) -> None:
        """Cut ``times`` connections, the ``first`` on, at a moment; None: all of them.

        :param act: is called at that moment, before the cut
        :param stall: hold the connection until the client goes away, then cut
        """
        self._planned.append(_Planned(doing, moment, first, times, act, stall))

    def heal(self) -> None:
        """Behave from now on."""
        self._planned.clear()
        self.door.open()

    @property
    def injected(self) -> int:
        """Number of faults injected."""
        return len(self.injected_at)

    def strike(self, planned: _Planned, client: socket.socket) -> None:
        """Do what was planned to a connection, short of cutting it."""
        self.injected_at.append(time.monotonic())
        planned.act(self)
        while planned.stall and not self.closing.wait(0.05) and not gone(client):
            pass

    def due(self, doing: Doing) -> _Planned | None:
        """Return what is planned for this message."""
        with self._lock:
            for one in self._planned:
                if one.doing is doing:
                    one.seen += 1
                    if one.seen >= one.first and (one.times is None or one.injected < one.times):
                        one.injected += 1
                        return one
        return None

    def _serve(self, client: socket.socket) -> None:
        with socket.socket(self._family) as server:
            server.connect(self._address)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._family == socket.AF_INET:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mysql = self._real.get_backend_name() != "postgresql"
            line = _Line(self, client, server, MysqlStream() if mysql else PostgresqlStream())
            back = threading.Thread(target=line.answers)
            back.start()
            try:
                line.requests()
            finally:
                reset(client)
                reset(server)
                back.join()


class _Line:
    """One client's connection to the server."""

    def __init__(
        self, relay: Relay, client: socket.socket, server: socket.socket, stream: Stream
    ) -> None:
        self._relay = relay
        self._client = client
        self._server = server
        self._stream = stream
        # What is to happen to the answer that comes next.
        self._awaited: _Planned | None = None
        self._committing = False

    def requests(self) -> None:
        """Pass on what the client sends, until either side ends."""
        while data := self._client.recv(_CHUNK):
            for doing, message in self._stream.messages(data):
                planned = None if doing is Doing.OTHER else self._relay.due(doing)
                if planned is None:
                    self._committing = doing is Doing.COMMIT
                    self._server.sendall(message)
                elif planned.moment in (Moment.BEFORE, Moment.MIDDLE):
                    if planned.moment is Moment.MIDDLE:
                        self._server.sendall(message[: len(message) // 2])
                    self._relay.strike(planned, self._client)
                    return
                else:
                    self._committing = doing is Doing.COMMIT
                    self._awaited = planned
                    self._server.sendall(message)

    def answers(self) -> None:
        """Pass on what the server answers, until either side ends."""
        with contextlib.suppress(OSError):
            while data := self._server.recv(_CHUNK):
                planned, self._awaited = self._awaited, None
                if self._committing:
                    self._committing = False
                    self._relay.committed_at.append(time.monotonic())
                if planned is None or planned.moment is Moment.ANSWERED:
                    self._client.sendall(data)
                if planned is not None:
                    self._relay.strike(planned, self._client)
                    break
        reset(self._client)


def _address(url: sa.URL) -> tuple[socket.AddressFamily, tuple[str, int] | str]:
    query = url.query
    folder = query.get("host")
    if isinstance(folder, str):
        return socket.AF_UNIX, f"{folder}/.s.PGSQL.{query.get('port', url.port or 5432)}"
    if isinstance(path := query.get("unix_socket"), str):
        return socket.AF_UNIX, path
    default = 5432 if url.get_backend_name() == "postgresql" else 3306
    return socket.AF_INET, (url.host or HOST, url.port or default)


@contextlib.contextmanager
def relayed(url: str) -> Iterator[Relay]:
    """Relay until the context is left."""
    relay = Relay(url)
    with opened(relay.door):
        try:
            yield relay
        finally:
            relay.closing.set()
