"""Parts of all resources: every id is in exactly one."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.resource_part import ALL, ResourcePart, divide


def contains(part: ResourcePart, id_: str) -> bool:
    """Compare ids as Gnocchi does."""
    return (part.first is None or id_ >= part.first) and (part.stop is None or id_ < part.stop)


@given(st.uuids(), st.integers(1, 1000))
def test_every_resource_is_in_exactly_one_part(id_: uuid.UUID, count: int) -> None:
    assert sum(contains(part, str(id_)) for part in divide(count)) == 1


@given(st.integers(1, 1000), st.data())
def test_bounds_themselves_are_in_exactly_one_part(count: int, data: st.DataObject) -> None:
    part = divide(count)[data.draw(st.integers(0, count - 1))]
    for bound in (part.first, part.stop):
        if bound is not None:
            assert sum(contains(each, bound) for each in divide(count)) == 1


def test_one_part_has_no_bounds() -> None:
    assert divide(1) == [ALL]
    assert (ALL.first, ALL.stop) == (None, None)


def test_parts_are_alike() -> None:
    assert [part.first for part in divide(4)] == [
        None,
        "40000000-0000-0000-0000-000000000000",
        "80000000-0000-0000-0000-000000000000",
        "c0000000-0000-0000-0000-000000000000",
    ]


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_parts_that_do_not_exist(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        ResourcePart(index, count)
