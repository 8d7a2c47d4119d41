"""Shared memory: the group, and what workers have claimed."""

from __future__ import annotations

import mmap
import os

import pytest

from ratekit.coordination.board import GroupBoard
from ratekit.coordination.claims import Claims


def test_readers_see_what_another_process_has_published() -> None:
    board = GroupBoard.create()
    assert board.read() == ((), "")
    pid = os.fork()
    if not pid:
        GroupBoard(board.file).publish({"b": 2, "a": 1}, "no reply")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert board.read() == ((("a", 1), ("b", 2)), "no reply")


def test_content_that_was_not_written_to_its_end_is_ignored() -> None:
    board = GroupBoard.create()
    board.publish({"a": 1})
    assert board.read() == ((("a", 1),), "")
    writer = GroupBoard(board.file)
    writer.publish({"a": 1, "b": 1})
    # As if the writer had died in the middle.
    memory = mmap.mmap(board.file, 4096)
    position = memory.find(b'"b"')
    memory[position : position + 3] = b'"x"'
    assert board.read() == ((("a", 1),), "")
    writer.publish({"a": 3})
    assert board.read() == ((("a", 3),), "")


def test_a_group_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        GroupBoard.create().publish({f"{number:060}": 1 for number in range(20_000)})


def test_workers_do_not_get_what_others_have_claimed() -> None:
    claims = Claims(3)
    assert claims.claim(0, [1, 2, 3]) == [1, 2, 3]
    assert claims.claim(1, [3, 4]) == [4]
    assert claims.claim(2, [1, 4, 5]) == [5]
    # A claim replaces the last one of the same worker.
    assert claims.claim(0, [2, 6]) == [2, 6]
    assert claims.claim(1, [1, 3]) == [1, 3]
    assert claims.claim(0, []) == []
    assert claims.claim(2, [2, 6]) == [2, 6]


def test_a_worker_that_dies_leaves_no_lock_and_its_successor_no_claims() -> None:
    claims = Claims(2)
    pid = os.fork()
    if not pid:
        with claims._lock():
            claims._regions[1][0] = 0
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert claims.claim(1, [7]) == [7]
    assert claims.claim(0, [7, 8]) == [8]
    claims.claim(1, [])
    assert claims.claim(0, [7, 8]) == [7, 8]


def test_more_scopes_than_fit_are_not_lost() -> None:
    claims = Claims(2)
    scopes = list(range(20_000))
    assert claims.claim(0, scopes) == scopes
    assert 19_999 in claims.claim(1, [0, 19_999])
