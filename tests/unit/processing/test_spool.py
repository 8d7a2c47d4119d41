"""Series in memory and in a file."""

import datetime
import gc
import pathlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.processing.spool import Merger, Spool

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
#: Of a series with one point.
WEIGHT = 9


def series(label: str | None, *quantities: int, scope: str = "p1") -> Series:
    points = [(BEGIN + hour * HOUR, Decimal(value)) for hour, value in enumerate(quantities)]
    return Series(scope, "cpu", "h", {"flavor": label}, {"zone": None}, points)


def rated(number: int) -> RatedSeries:
    return RatedSeries(series(str(number), number), [Decimal(number)])


@pytest.mark.parametrize("limit", [0, 3 * WEIGHT, 450 * WEIGHT, 10**9])
def test_what_was_added_comes_back_in_order_and_again(limit: int) -> None:
    spool: Spool[RatedSeries] = Spool(limit)
    numbers = list(range(1000))
    for first in range(0, 1000, 300):
        spool.add(rated(number) for number in numbers[first : first + 300])
    assert (spool.series, spool.points) == (1000, 1000)
    for _ in range(2):
        assert list(spool) == [rated(number) for number in numbers]


def test_two_readers_do_not_disturb_each_other() -> None:
    spool: Spool[RatedSeries] = Spool(0)
    spool.add(rated(number) for number in range(900))
    first, second = iter(spool), iter(spool)
    pairs = [(next(first), next(second)) for _ in range(900)]
    assert pairs == [(rated(number), rated(number)) for number in range(900)]


def test_a_share_keeps_its_whole_in_the_file() -> None:
    shared = {BEGIN: Shared(Decimal("2.000000000000000000"), Decimal("0.5"))}
    usage = Series("p1", "cpu", "h", {"id": "1"}, {}, [(BEGIN, Decimal(1))], shared)
    spool: Spool[RatedSeries] = Spool(0)
    spool.add([RatedSeries(usage, [Decimal("1E-28")])])
    [copy] = spool
    assert copy == RatedSeries(usage, [Decimal("1E-28")])
    assert str(copy.prices[0]) == "1E-28"


def test_nothing_is_left_behind(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool: Spool[RatedSeries] = Spool(0)
    spool.add([rated(1)])
    assert list(tmp_path.iterdir()) == []
    del spool
    gc.collect()


def test_no_space_for_the_file_is_a_failure_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    spool: Spool[RatedSeries] = Spool(0)
    with pytest.raises(errors.TryLater, match="temporary file in /nonexistent: No such"):
        spool.add([rated(1)])


LABELS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "\u00e9", "None"]))
PARTS = st.lists(
    st.dictionaries(
        st.tuples(LABELS, st.sampled_from(["p1", "p2"])),
        st.lists(st.integers(0, 9), min_size=1, max_size=3),
    ),
    max_size=5,
)


@given(PARTS)
def test_series_of_parts_with_equal_labels_are_added_up(
    parts: Sequence[dict[tuple[str | None, str], list[int]]],
) -> None:
    merger = Merger()
    expected: Counter[tuple[str | None, str, int]] = Counter()
    for part in parts:
        merger.add(series(label, *values, scope=scope) for (label, scope), values in part.items())
        for place, values in part.items():
            for hour, value in enumerate(values):
                expected[*place, hour] += value
    actual: dict[tuple[str | None, str, int], Decimal] = {}
    for usage in merger.merge():
        for begin, quantity in usage.points:
            key = usage.groupby["flavor"], usage.scope, (begin - BEGIN) // HOUR
            assert key not in actual
            actual[key] = quantity
    assert actual == {place: expected[place] for place in actual}
    assert actual.keys() == {
        (*place, hour)
        for part in parts
        for place, values in part.items()
        for hour in range(len(values))
    }
