"""The status board: what workers write, the supervisor reads."""

from __future__ import annotations

import os
import time

from ratekit.daemon.status_board import StatusBoard


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


def test_a_snapshot_does_not_change() -> None:
    board = StatusBoard(1)
    (snapshot,) = board.snapshot()
    board.workers[0].frames += 5
    assert (snapshot.frames, board.workers[0].frames) == (0, 5)
