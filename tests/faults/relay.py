"""A TCP relay before a database server; it cuts and holds connections as planned."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import socket
import threading
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from tests.faults.listener import HOST, Listener, is_closed_by_peer, reset, running_listener
from tests.faults.wire import MessageKind, MysqlStream, PostgresqlStream, Stream

_CHUNK = 1 << 16


class Moment(enum.Enum):
    """When a fault is injected into a message of the client's.

    :cvar BEFORE: it is not forwarded
    :cvar MIDDLE: half of it is forwarded
    :cvar UNANSWERED: the server has executed it; its answer is not forwarded
    :cvar ANSWERED: the client has the answer
    """

    BEFORE = "before"
    MIDDLE = "in the middle"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"


@dataclasses.dataclass(slots=True)
class _FaultPlan:
    kind: MessageKind
    moment: Moment
    first: int
    times: int | None
    action: Callable[[Relay], None]
    stall: bool
    matches: int = 0
    injections: int = 0


class Relay:
    """Forwards messages, and injects planned faults.

    :param url: SQLAlchemy URL of a database; over TCP or a Unix socket
    :ivar commit_times: when each transaction with frames was committed and answered
    """

    def __init__(self, url: str) -> None:
        self._real = sa.make_url(url)
        self._family, self._address = _address(self._real)
        self.closing = threading.Event()
        self.listener = Listener(self._serve)
        self._plans: list[_FaultPlan] = []
        self._lock = threading.Lock()
        self.injection_times: list[float] = []
        self.commit_times: list[float] = []

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database through the relay."""
        return self._real.set(host=HOST, port=self.listener.port, query={}).render_as_string(
            hide_password=False
        )

    def plan(
        self,
        kind: MessageKind,
        moment: Moment,
        first: int = 1,
        times: int | None = 1,
        action: Callable[[Relay], None] = lambda _: None,
        stall: bool = False,
    ) -> None:
        """Cut ``times`` connections at a message, from the ``first`` on; None: all.

        :param action: is called at that moment, before the cut
        :param stall: hold the connection until the client goes away, then cut
        """
        self._plans.append(_FaultPlan(kind, moment, first, times, action, stall))

    def clear_faults(self) -> None:
        """Forget all plans, and open the listener."""
        self._plans.clear()
        self.listener.open()

    @property
    def injections(self) -> int:
        """Number of faults injected."""
        return len(self.injection_times)

    def inject(self, plan: _FaultPlan, client: socket.socket) -> None:
        """Carry out a plan on a connection, except for cutting it."""
        self.injection_times.append(time.monotonic())
        plan.action(self)
        while plan.stall and not self.closing.wait(0.05) and not is_closed_by_peer(client):
            pass

    def next_fault(self, kind: MessageKind) -> _FaultPlan | None:
        """Return the plan for this message."""
        with self._lock:
            for plan in self._plans:
                if plan.kind is kind:
                    plan.matches += 1
                    is_complete = plan.times is not None and plan.injections >= plan.times
                    if plan.matches >= plan.first and not is_complete:
                        plan.injections += 1
                        return plan
        return None

    def _serve(self, client: socket.socket) -> None:
        with socket.socket(self._family) as server:
            server.connect(self._address)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._family == socket.AF_INET:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mysql = self._real.get_backend_name() != "postgresql"
            connection = _Connection(
                self, client, server, MysqlStream() if mysql else PostgresqlStream()
            )
            back = threading.Thread(target=connection.forward_responses)
            back.start()
            try:
                connection.forward_requests()
            finally:
                reset(client)
                reset(server)
                back.join()


class _Connection:
    """One client's connection to the server."""

    def __init__(
        self, relay: Relay, client: socket.socket, server: socket.socket, stream: Stream
    ) -> None:
        self._relay = relay
        self._client = client
        self._server = server
        self._stream = stream
        # The plan for the next answer.
        self._next_answer_plan: _FaultPlan | None = None
        self._committing = False

    def forward_requests(self) -> None:
        """Forward the client's messages until either side ends."""
        while data := self._client.recv(_CHUNK):
            for kind, message in self._stream.messages(data):
                plan = None if kind is MessageKind.OTHER else self._relay.next_fault(kind)
                if plan is None:
                    self._committing = kind is MessageKind.COMMIT
                    self._server.sendall(message)
                elif plan.moment in (Moment.BEFORE, Moment.MIDDLE):
                    if plan.moment is Moment.MIDDLE:
                        self._server.sendall(message[: len(message) // 2])
                    self._relay.inject(plan, self._client)
                    return
                else:
                    self._committing = kind is MessageKind.COMMIT
                    self._next_answer_plan = plan
                    self._server.sendall(message)

    def forward_responses(self) -> None:
        """Forward the server's answers until either side ends."""
        with contextlib.suppress(OSError):
            while data := self._server.recv(_CHUNK):
                plan, self._next_answer_plan = self._next_answer_plan, None
                if self._committing:
                    self._committing = False
                    self._relay.commit_times.append(time.monotonic())
                if plan is None or plan.moment is Moment.ANSWERED:
                    self._client.sendall(data)
                if plan is not None:
                    self._relay.inject(plan, self._client)
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
def run_relay(url: str) -> Iterator[Relay]:
    """Relay until the context ends."""
    relay = Relay(url)
    with running_listener(relay.listener):
        try:
            yield relay
        finally:
            relay.closing.set()
