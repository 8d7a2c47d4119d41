"""Parts of all scopes: each scope is in one of them, everywhere in the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.schedule.share import Partition


@given(st.text(), st.integers(1, 20))
def test_each_scope_is_in_exactly_one_part(scope: str, count: int) -> None:
    assert sum(Partition(index, count).holds(scope) for index in range(count)) == 1


def test_a_scope_is_in_the_same_part_in_every_process() -> None:
    """Python's own hash differs from process to process."""
    ids = [f"{number:032x}" for number in range(8)]
    assert [Partition(1, 2).holds(one) for one in ids] == [
        False, False, False, False, True, True, True, True,
    ]  # fmt: skip


def test_parts_are_about_equal() -> None:
    ids = [f"project-{number}" for number in range(4000)]
    sizes = [sum(map(Partition(index, 4).holds, ids)) for index in range(4)]
    assert all(900 < size < 1100 for size in sizes)


@pytest.mark.parametrize(("index", "count"), [(-1, 1), (1, 1), (0, 0)])
def test_a_part_that_is_not_there_is_refused(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="there is no part"):
        Partition(index, count)
