"""What the supervisor reports to systemd, on a socket that stands for it."""

from __future__ import annotations

import os
import pathlib
import socket
import time
from collections.abc import Iterator

import pytest
from oslo_service import backend

from ratekit.daemon.status_board import StatusBoard

backend.init_backend(backend.BackendType.EVENTLET)
from ratekit.daemon.supervisor import Supervisor, describe  # noqa: E402 - oslo.service wants this order
from ratekit.daemon.systemd import Notifier  # noqa: E402


class Systemd:
    """The socket that a service reports its state to."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def receive(self) -> list[str]:
        """Return the messages since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def address(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    listening = Systemd(address)
    yield listening
    listening.close()


def supervisor(board: StatusBoard, address: str, watchdog: float = 0.0) -> Supervisor:
    return Supervisor(board, Notifier(address, watchdog), farewell=lambda: None)


def hang(board: StatusBoard, worker: int, seconds: float) -> None:
    """Make a worker's last heartbeat so many seconds old."""
    board.workers[worker].heartbeat = time.monotonic() - seconds


# The board ------------------------------------------------------------------------------------


def test_a_parent_sees_what_a_forked_process_writes() -> None:
    board = StatusBoard(2)
    child = os.fork()
    if child == 0:
        board.workers[1].frames = 7
        board.workers[1].next_cycle = 1.5e9
        board.workers[1].frames += 5
        board.exit_code = 2
        os._exit(0)
    os.waitpid(child, 0)
    first, second = board.snapshot()
    assert (first.frames, second.frames, second.next_cycle) == (0, 12, 1.5e9)
    assert board.exit_code == 2


def test_every_worker_has_a_heartbeat_from_the_start() -> None:
    oldest = min(worker.heartbeat for worker in StatusBoard(3).snapshot())
    assert abs(time.monotonic() - oldest) < 60


# Status ---------------------------------------------------------------------------------------


def test_while_any_worker_rates_the_status_says_what_is_left() -> None:
    board = StatusBoard(2)
    rating, waiting = board.workers
    rating.scopes_left, rating.frames = 1200, 1000
    waiting.next_cycle, waiting.frames, waiting.failed_scopes = 1.8e9, 234, 2
    assert describe(board.snapshot()) == (
        "rating, 1,200 scopes left; 1,234 frames since the start; 2 scopes failing, see the log"
    )


def test_while_all_wait_the_status_says_when_the_next_cycle_is() -> None:
    board = StatusBoard(2)
    first, second = board.workers
    first.next_cycle, first.reload_failed = 1_800_000_001, 1
    second.next_cycle = 1_800_000_000
    assert describe(board.snapshot()) == (
        "next cycle 2027-01-15T08:00:00Z; 0 frames since the start; "
        "the last reload failed, see the log"
    )


def test_a_status_is_reported_when_it_changes(systemd: Systemd, address: str) -> None:
    board = StatusBoard(1)
    watching = supervisor(board, address)
    watching.check()
    watching.check()
    board.workers[0].frames += 3
    watching.check()
    assert systemd.receive() == [
        "STATUS=rating, 0 scopes left; 0 frames since the start",
        "STATUS=rating, 0 scopes left; 3 frames since the start",
    ]


# Watchdog -------------------------------------------------------------------------------------


def test_the_watchdog_gets_reports_while_every_worker_makes_progress(
    systemd: Systemd, address: str
) -> None:
    board = StatusBoard(2)
    hang(board, 1, seconds=20)
    supervisor(board, address, watchdog=60).check()
    assert "WATCHDOG=1" in systemd.receive()


@pytest.mark.parametrize("worker", [0, 1])
def test_one_worker_that_hangs_is_enough_to_stop_the_reports_to_the_watchdog(
    systemd: Systemd, address: str, worker: int
) -> None:
    board = StatusBoard(2)
    hang(board, worker, seconds=31)
    supervisor(board, address, watchdog=60).check()
    assert "WATCHDOG=1" not in systemd.receive()


def test_without_a_watchdog_there_are_no_reports_to_it(systemd: Systemd, address: str) -> None:
    supervisor(StatusBoard(1), address).check()
    assert "WATCHDOG=1" not in systemd.receive()


# The protocol ---------------------------------------------------------------------------------


def test_the_notifier_reads_the_variables_of_systemd() -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"}
    assert Notifier.from_environment(environment).watchdog == 30.0
    for_this_process = {**environment, "WATCHDOG_PID": str(os.getpid())}
    assert Notifier.from_environment(for_this_process).watchdog == 30.0
    for_another_process = {**environment, "WATCHDOG_PID": "1"}
    assert Notifier.from_environment(for_another_process).watchdog == 0.0
    assert Notifier.from_environment({}).watchdog == 0.0


def test_an_abstract_socket_is_found() -> None:
    name = f"ratekit-{os.getpid()}"
    listening = Systemd(f"\0{name}")
    try:
        Notifier(f"@{name}").ready("fine")
        assert listening.receive() == ["READY=1\nSTATUS=fine"]
    finally:
        listening.close()


def test_reloading_carries_the_time_that_systemd_wants(systemd: Systemd, address: str) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(address).reloading()
    (message,) = systemd.receive()
    first, second = message.splitlines()
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_socket_without_a_listener_does_no_harm(address: str) -> None:
    Notifier(address).alive()
    Notifier("").alive()
    listening = Systemd(address)
    Notifier(address).alive()
    messages = listening.receive()
    listening.close()
    assert messages == ["WATCHDOG=1"]
