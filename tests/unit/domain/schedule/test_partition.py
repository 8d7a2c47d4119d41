"""Partitions: each scope is in exactly one of them, the same one in every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.schedule.partition import Partition


@given(st.text(), st.integers(1, 20))
def test_each_scope_is_in_exactly_one_part(scope: str, count: int) -> None:
    assert sum(Partition(index, count).contains(scope) for index in range(count)) == 1


def test_a_scope_is_in_the_same_part_in_every_process() -> None:
    """Python's own hash differs from process to process."""
    ids = [f"{number:032x}" for number in range(8)]
    assert [Partition(1, 2).contains(id_) for id_ in ids] == [
        False, False, False, False, True, True, True, True,
    ]  # fmt: skip


def test_parts_are_about_equal() -> None:
    ids = [f"project-{number}" for number in range(4000)]
    sizes = [sum(map(Partition(index, 4).contains, ids)) for index in range(4)]
    assert all(900 < size < 1100 for size in sizes)


@pytest.mark.parametrize(("index", "count"), [(-1, 1), (1, 1), (0, 0)])
def test_a_partition_that_does_not_exist_is_refused(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        Partition(index, count)
