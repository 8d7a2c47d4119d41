"""Each total of a report is read once, by itself or in the sum of its day."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.period import BEGINNING, FOREVER
from ratekit.domain.reporting.buckets import BUCKETS, bucket
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.storage.ledger.sums import DAY
from ratekit.storage.reports.sources import split
from ratekit.storage.reports.time_axis import TimeAxis

_FIRST = datetime.datetime(2026, 3, 20, tzinfo=datetime.UTC)
_QUARTER = datetime.timedelta(minutes=15)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")

instants = st.integers(-10, 40 * 96).map(lambda number: _FIRST + number * _QUARTER)


def selects(selection: Selection, instant: datetime.datetime) -> bool:
    """Return whether an instant is in the range of a selection."""
    begin, end = selection.begin, selection.end
    return (begin is None or begin <= instant) and (end is None or instant < end)


def tables(
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
    boundaries: Sequence[datetime.datetime] | None = (),
) -> str:
    """Return what a report is read from: d is for daily totals, t for totals of each other day."""
    parts = split(Selection(begin, end, scopes=ALL_SCOPES), boundaries)
    return "t" if parts is None else "d" + "t" * len(parts.rest)


@given(
    st.none() | instants,
    st.none() | instants,
    st.sampled_from(sorted(BUCKETS)) | st.none(),
    st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    st.lists(instants, max_size=20),
)
def test_each_total_is_read_once_and_no_sum_is_of_two_buckets(
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
    name: str | None,
    zone: datetime.tzinfo,
    begins: list[datetime.datetime],
) -> None:
    bounds = begin or _FIRST - DAY, end or _FIRST + 42 * DAY
    boundaries = [] if name is None else TimeAxis(name, *bounds, zone).boundaries
    selection = Selection(begin, end, scopes=ALL_SCOPES)
    parts = split(selection, boundaries)
    if parts is None:
        return
    for instant in begins:
        day = instant.replace(hour=0, minute=0)
        in_sum = selects(parts.days, day) and day not in parts.without
        count = sum(selects(part, instant) for part in parts.rest)
        assert in_sum + count == selects(selection, instant)
        if in_sum and name is not None:
            ends = {bucket(at, name, zone) for at in (day, instant, day + DAY - _QUARTER)}
            assert len(ends) == 1


def test_whole_days_are_read_from_their_sums() -> None:
    assert tables(_FIRST, _FIRST + 31 * DAY) == "d"
    assert tables(None, None) == "d"


def test_what_is_left_of_a_range_is_read_beside_them() -> None:
    hour, end = datetime.timedelta(hours=1), _FIRST + 31 * DAY
    parts = split(Selection(_FIRST - hour, end + hour, scopes=ALL_SCOPES), ())
    assert parts is not None
    assert sorted(parts.without) == [_FIRST - DAY, end]
    ranges = [(part.begin, part.end) for part in parts.rest]
    assert ranges == [(_FIRST - hour, _FIRST), (end, end + hour)]


def test_a_range_without_a_whole_day_is_read_from_totals() -> None:
    noon = _FIRST + DAY / 2
    for begin, end in ((noon, noon + DAY), (noon, noon), (noon, noon - DAY), (_FIRST, _FIRST)):
        assert tables(begin, end) == "t"


@pytest.mark.parametrize(
    ("name", "zone", "expected"),
    [
        ("day", "UTC", "d"),
        ("week", "UTC", "d"),
        # The ends of the month, and the Mondays.
        ("month", "Europe/Berlin", "dtt"),
        ("week", "Europe/Berlin", "dttttttt"),
        ("day", "Europe/Berlin", "t"),
        ("hour", "UTC", "t"),
    ],
)
def test_buckets_decide_which_days_are_divided(name: str, zone: str, expected: str) -> None:
    local = zoneinfo.ZoneInfo(zone)
    begin = bucket(_FIRST, "month", local)
    end = bucket(_FIRST + 31 * DAY, "month", local)
    assert tables(begin, end, TimeAxis(name, begin, end, local).boundaries) == expected


def test_periods_are_read_from_totals() -> None:
    assert tables(_FIRST, _FIRST + 31 * DAY, None) == "t"


def test_an_open_range_of_hours_is_read_from_totals() -> None:
    hours = [_FIRST + number * datetime.timedelta(hours=1) for number in range(1, 10 * 24)]
    assert tables(None, None, hours) == "t"
    assert tables(_FIRST, None, hours) == "t"
    assert tables(_FIRST, None, [_FIRST + 12 * DAY]) == "d"


def test_the_first_and_the_last_instants_can_be_asked_for() -> None:
    assert tables(BEGINNING, FOREVER) == "dt"
    assert tables(FOREVER, None) == "dt"
    assert tables(None, BEGINNING) == "d"
