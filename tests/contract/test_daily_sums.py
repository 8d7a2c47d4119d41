"""Reports give the sums of the frames, wherever a range or a bucket divides a day."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit.domain.period import Window
from ratekit.domain.reporting import bill
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage
from tests.contract.given import HOUR, batch, build_series, hour, list_scopes
from tests.contract.test_report_times import add_up

_SCOPES, _METRICS = "abc", ("cpu", "disk")
#: A week in which clocks change in Berlin and in Beirut.
_BEGIN = datetime.datetime(2026, 3, 25, 5, tzinfo=datetime.UTC)
_HOURS = 7 * 24
_QUARTER = datetime.timedelta(minutes=15)

instants = st.none() | st.integers(-60, _HOURS * 4 + 60).map(lambda at: _BEGIN + at * _QUARTER)
groupbys = st.lists(
    st.sampled_from(["scope", "metric", "hour", "day", "week", "month"]), unique=True, max_size=3
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Beirut", "Asia/Kathmandu", "America/Lima"])


@pytest.fixture(autouse=True)
def usage(storage: Storage) -> None:
    """A week of two metrics in three scopes; no two prices are equal."""
    numbers = itertools.count(1)
    series = [
        build_series(
            scope,
            [("1", f"{next(numbers)}.0000000000000000000000000001") for _ in range(_HOURS)],
            metric=metric,
            unit="unit",
            begin=_BEGIN,
        )
        for scope in _SCOPES
        for metric in _METRICS
    ]
    states = list_scopes(storage, *_SCOPES, start=_BEGIN)
    storage.ledger.commit(
        batch(states, *series, periods=Window(_BEGIN, HOUR, _HOURS), metrics=_METRICS)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(instants, instants, groupbys, zones.map(zoneinfo.ZoneInfo))
def test_a_summary_is_the_sum_of_its_frames(
    storage: Storage,
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
    groupby: list[str],
    zone: datetime.tzinfo,
) -> None:
    selection = Selection(begin, end, scopes=ALL_SCOPES)
    rows = list(storage.reports.summary(selection, groupby, zone))
    assert rows == add_up(list(storage.reports.frames(selection)), groupby, zone)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(instants, instants, st.frozensets(st.sampled_from(_SCOPES)))
def test_costs_of_scopes_are_the_sums_of_their_frames(
    storage: Storage,
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
    scopes: frozenset[str],
) -> None:
    times = begin or _BEGIN, end or hour(24)
    expected: dict[str, list[Decimal]] = {}
    for frame in storage.reports.frames(Selection(*times, scopes=scopes)):
        expected.setdefault(frame.scope, []).append(frame.price)
    prices = storage.reports.prices(*times, scopes)
    assert prices == {scope: bill.add_up(parts) for scope, parts in expected.items()}
