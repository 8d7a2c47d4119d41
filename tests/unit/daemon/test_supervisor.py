"""What systemd is told, on a socket that stands for it."""

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
    """The socket that a service is to tell how it is."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """What has been said since the last time."""
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
    """Let a worker's last sign of life be that old."""
    board.slots[worker].tell(pulse=time.monotonic() - seconds)


# The board ------------------------------------------------------------------------------------


def test_what_a_forked_process_tells_its_parent_sees() -> None:
    board = StatusBoard(2)
    child = os.fork()
    if child == 0:
        board.slots[1].tell(frames=7, next_cycle=1.5e9)
        board.slots[1].add("frames", 5)
        board.exit_code = 2
        os._exit(0)
    os.waitpid(child, 0)
    first, second = board.reports()
    assert (first.frames, second.frames, second.next_cycle) == (0, 12, 1.5e9)
    assert board.exit_code == 2


def test_nobody_hangs_from_the_start() -> None:
    oldest = min(report.pulse for report in StatusBoard(3).reports())
    assert abs(time.monotonic() - oldest) < 60


# Status ---------------------------------------------------------------------------------------


def test_while_any_worker_rates_the_status_says_what_is_left() -> None:
    board = StatusBoard(2)
    board.slots[0].tell(scopes_left=1200, frames=1000)
    board.slots[1].tell(next_cycle=1.8e9, frames=234, failed=2)
    assert describe(board.reports()) == (
        "rating, 1,200 scopes left; 1,234 frames since the start; 2 scopes failing, see the log"
    )


def test_while_all_wait_the_status_says_when_the_next_cycle_is() -> None:
    board = StatusBoard(2)
    board.slots[0].tell(next_cycle=1_800_000_001, refused=1)
    board.slots[1].tell(next_cycle=1_800_000_000)
    assert describe(board.reports()) == (
        "next cycle 2027-01-15T08:00:00Z; 0 frames since the start; "
        "the last reload was refused, see the log"
    )


def test_a_status_is_told_when_it_changes(systemd: Systemd, address: str) -> None:
    board = StatusBoard(1)
    watching = supervisor(board, address)
    watching.look()
    watching.look()
    board.slots[0].add("frames", 3)
    watching.look()
    assert systemd.heard() == [
        "STATUS=rating, 0 scopes left; 0 frames since the start",
        "STATUS=rating, 0 scopes left; 3 frames since the start",
    ]


# Watchdog -------------------------------------------------------------------------------------


def test_the_watchdog_is_kept_quiet_while_every_worker_gets_on(
    systemd: Systemd, address: str
) -> None:
    board = StatusBoard(2)
    hang(board, 1, seconds=20)
    supervisor(board, address, watchdog=60).look()
    assert "WATCHDOG=1" in systemd.heard()


@pytest.mark.parametrize("worker", [0, 1])
def test_one_worker_that_hangs_is_enough_for_the_watchdog_to_bite(
    systemd: Systemd, address: str, worker: int
) -> None:
    board = StatusBoard(2)
    hang(board, worker, seconds=31)
    supervisor(board, address, watchdog=60).look()
    assert "WATCHDOG=1" not in systemd.heard()


def test_without_a_watchdog_none_is_fed(systemd: Systemd, address: str) -> None:
    supervisor(StatusBoard(1), address).look()
    assert "WATCHDOG=1" not in systemd.heard()


# The protocol ---------------------------------------------------------------------------------


def test_the_notifier_reads_what_systemd_says() -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"}
    assert Notifier.from_environment(environment).watchdog == 30.0
    own = {**environment, "WATCHDOG_PID": str(os.getpid())}
    assert Notifier.from_environment(own).watchdog == 30.0
    other = {**environment, "WATCHDOG_PID": "1"}
    assert Notifier.from_environment(other).watchdog == 0.0
    assert Notifier.from_environment({}).watchdog == 0.0


def test_an_abstract_socket_is_found() -> None:
    name = f"ratekit-{os.getpid()}"
    listening = Systemd(f"\0{name}")
    try:
        Notifier(f"@{name}").ready("fine")
        assert listening.heard() == ["READY=1\nSTATUS=fine"]
    finally:
        listening.close()


def test_reloading_carries_the_time_that_systemd_wants(systemd: Systemd, address: str) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(address).reloading()
    (message,) = systemd.heard()
    first, second = message.splitlines()
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_socket_that_nobody_listens_on_does_no_harm(address: str) -> None:
    Notifier(address).alive()
    Notifier("").alive()
    listening = Systemd(address)
    Notifier(address).alive()
    heard = listening.heard()
    listening.close()
    assert heard == ["WATCHDOG=1"]
