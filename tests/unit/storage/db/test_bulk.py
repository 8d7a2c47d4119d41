"""How many rows are taken at a time."""

from __future__ import annotations

import itertools

import pytest

from ratekit.storage.db.bulk import chunks


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_chunks_are_all_items_in_order(count: int) -> None:
    pieces = list(chunks(range(count), 3))
    assert [number for piece in pieces for number in piece] == list(range(count))
    assert all(len(piece) == 3 for piece in pieces[:-1])
    assert all(0 < len(piece) <= 3 for piece in pieces)


def test_only_one_chunk_is_taken_at_a_time() -> None:
    assert next(chunks(itertools.count(), 3)) == [0, 1, 2]
