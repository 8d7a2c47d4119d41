"""The supervisor: what it reports to systemd about the workers."""

from __future__ import annotations

import time

import pytest
from oslo_service import backend

from ratekit.daemon.status_board import StatusBoard
from tests.unit.daemon.fake_systemd import Systemd

backend.init_backend(backend.BackendType.EVENTLET)
from ratekit.daemon.supervisor import Supervisor, describe  # noqa: E402 - oslo.service wants this order
from ratekit.daemon.systemd import Notifier  # noqa: E402


def supervisor(board: StatusBoard, address: str, watchdog: float = 0.0) -> Supervisor:
    return Supervisor(board, Notifier(address, watchdog), report_interrupt=lambda: None)


def hang(board: StatusBoard, worker: int, seconds: float) -> None:
    """Make a worker's last heartbeat so many seconds old."""
    board.workers[worker].heartbeat = time.monotonic() - seconds


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


def test_a_cycle_that_failed_as_a_whole_shows() -> None:
    board = StatusBoard(2)
    for worker in board.workers:
        worker.next_cycle = 1_800_000_000
    board.workers[1].cycle_failed = 1
    assert describe(board.snapshot()) == (
        "next cycle 2027-01-15T08:00:00Z; 0 frames since the start; rating waits, see the log"
    )


def test_a_status_is_reported_when_it_changes(systemd: Systemd, address: str) -> None:
    board = StatusBoard(1)
    watching = supervisor(board, address)
    watching.check()
    watching.check()
    board.workers[0].frames += 3
    watching.check()
    assert systemd.receive() == [
        "STATUS=rating; 0 frames since the start",
        "STATUS=rating; 3 frames since the start",
    ]


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
