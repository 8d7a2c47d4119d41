"""Times of reports, which every storage groups by the rules of a time zone."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from collections.abc import Sequence
from decimal import Decimal

import pytest

from ratekit.domain.period import Window
from ratekit.domain.reporting import bill
from ratekit.domain.reporting.buckets import BUCKETS, bucket
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection, SummaryRow
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import Storage
from ratekit.storage.reports import time_axis
from tests.contract.given import batch, hour, list_scopes, statements

#: Names that databases sort differently unless they are told to go by code point.
SCOPES = ("Z", "a", "ä", "a ", "\U0001f40d", "\uffee")
METRICS = ("instance", "Volume")
STEP = datetime.timedelta(minutes=15)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
GROUPBYS = (
    ("day",),
    ("hour", "scope"),
    ("scope", "day", "metric"),
    ("metric", "month", "hour", "day"),
    ("week", "metric"),
    ("year", "scope", "week"),
    ("color", "year", "week"),
    ("day", "color", "scope"),
)


def store(storage: Storage, begin: datetime.datetime, count: int) -> None:
    """Store consecutive quarters of an hour of all scopes and metrics; no two prices are equal."""
    window = Window(begin, STEP, count)
    numbers = itertools.count(1)
    series = [
        RatedSeries(
            Series(
                scope=scope,
                metric=metric,
                unit="unit",
                groupby={"color": scope},
                metadata={},
                points=[(start, Decimal(1)) for start in window.begins()],
            ),
            [Decimal(f"{next(numbers)}.0000000000000000000000000001") for _ in range(count)],
        )
        for scope, metric in itertools.product(SCOPES, METRICS)
    ]
    states = list_scopes(storage, *SCOPES, start=begin)
    storage.ledger.commit(batch(states, *series, periods=window))


def add_up(
    frames: Sequence[FrameRow], groupby: Sequence[str], zone: datetime.tzinfo
) -> list[SummaryRow]:
    """Return the summary of frames that all have quantity 1, frame by frame."""
    groups: dict[tuple[str | datetime.datetime | None, ...], list[FrameRow]] = {}
    for frame in frames:
        values: dict[str, str | datetime.datetime | None] = {
            **frame.groupby,
            "scope": frame.scope,
            "metric": frame.metric,
            **{name: bucket(frame.begin, name, zone) for name in BUCKETS},
            **_local_dates(frame.begin, zone),
        }
        groups.setdefault(tuple(values[key] for key in groupby), []).append(frame)
    rows = []
    for group in sorted(groups):
        members = groups[group]
        has_unit = len({frame.metric for frame in members}) == 1
        rows.append(
            SummaryRow(
                group={
                    key: value.astimezone(zone) if isinstance(value, datetime.datetime) else value
                    for key, value in zip(groupby, group, strict=True)
                },
                points=len(members),
                quantity=Decimal(len(members)) if has_unit else None,
                unit="unit" if has_unit else None,
                price=bill.add_up(frame.price for frame in members),
            )
        )
    return rows


def _local_dates(instant: datetime.datetime, zone: datetime.tzinfo) -> dict[str, datetime.datetime]:
    """Return the start of the week and of the year, by the calendar's own rules."""
    local = instant.astimezone(zone)
    week = local.isocalendar()
    monday = datetime.date.fromisocalendar(week.year, week.week, 1)
    return {
        name: datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.UTC)
        for name, day in (("week", monday), ("year", datetime.date(local.year, 1, 1)))
    }


@pytest.mark.parametrize(
    ("begin", "max_spans"),
    [
        # Clocks change in Beirut on the 29th, in Berlin too, and in Lord Howe on April 5th.
        ("2026-03-28T15:00", 10_000),
        ("2026-04-04T03:00", 10_000),
        # St. John's went back over midnight, at 0:01, until 2011.
        ("2010-11-06T20:00", 10_000),
        # A year ends within a week.
        ("2026-12-31T05:00", 10_000),
        # More than one statement can have.
        ("2026-03-28T15:00", 3),
    ],
)
def test_sums_are_those_of_the_frames_in_every_zone(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, begin: str, max_spans: int
) -> None:
    monkeypatch.setattr(time_axis, "MAX_SPANS", max_spans)
    start = datetime.datetime.fromisoformat(begin).replace(tzinfo=datetime.UTC)
    store(storage, start, 100)
    inside = Selection(start + 5 * STEP, start + 90 * STEP, scopes=ALL_SCOPES)
    for zone, selection in itertools.product(ZONES, (Selection(scopes=ALL_SCOPES), inside)):
        frames = list(storage.reports.frames(selection))
        for groupby in GROUPBYS:
            local_zone = zoneinfo.ZoneInfo(zone)
            rows = list(storage.reports.summary(selection, groupby, local_zone))
            assert rows == add_up(frames, groupby, local_zone)
            times = [value for key, value in rows[0].group.items() if key in BUCKETS]
            assert {time.tzinfo for time in times} == {local_zone}  # type: ignore[union-attr]


def test_a_time_range_without_frames_has_no_row(storage: Storage) -> None:
    list_scopes(storage, "a")
    for selection in (
        Selection(scopes=ALL_SCOPES),
        Selection(end=hour(1), scopes=ALL_SCOPES),
        Selection(hour(1), hour(2), scopes=ALL_SCOPES),
        Selection(hour(2), hour(1), scopes=ALL_SCOPES),
        Selection(hour(0), datetime.datetime.max.replace(tzinfo=datetime.UTC), scopes=ALL_SCOPES),
    ):
        assert not list(storage.reports.summary(selection, ("day",), datetime.UTC))


def test_days_are_grouped_by_the_database(storage: Storage) -> None:
    store(storage, hour(0), 96)
    with statements() as seen:
        (*rows,) = storage.reports.summary(
            Selection(scopes=ALL_SCOPES), ("scope", "day"), datetime.UTC
        )
    assert len(rows) == len(SCOPES)
    (query,) = [text for text in seen if "GROUP BY" in text]
    assert " day" in query.rpartition("GROUP BY")[2]
    assert "begin" not in query.rpartition("GROUP BY")[2]


def test_a_reader_that_stops_early_closes_its_connection(storage: Storage) -> None:
    store(storage, hour(0), 96)
    rows = iter(
        storage.reports.summary(Selection(scopes=ALL_SCOPES), ("scope", "hour"), datetime.UTC)
    )
    first = next(rows)
    assert first.group["scope"] == "Z"
    states = list_scopes(storage, *SCOPES)
    assert not storage.ledger.commit(batch(states, periods=Window(hour(24), STEP, 1))).lost_scopes
    rows.close()  # type: ignore[attr-defined]
