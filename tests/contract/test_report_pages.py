"""Pages of reports: one after the other they are the whole."""

from __future__ import annotations

import datetime
import itertools
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES, EVERYTHING, Page, Selection
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import Database
from ratekit.storage.reports import frame_pages, time_axis
from ratekit.storage.schema import TOTALS
from tests.contract.given import (
    batch,
    build_series,
    count_groups,
    hour,
    list_scopes,
    statements,
    window,
)

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: Databases would sort them differently by the rules of a language.
SCOPES = ("Z", "a", "a ", "ä", "\U0001f40d")
FLAVORS: Sequence[str | None] = (None, "", "B", "a", "a ", "ä")
HOURS = 5
GROUPBYS = (
    (),
    ("scope",),
    ("metric", "scope"),
    ("period",),
    ("day", "metric"),
    ("scope", "hour"),
    ("week", "month", "year"),
    ("flavor",),
    ("scope", "flavor", "hour"),
    ("nothing", "metric"),
)
SELECTIONS = (
    Selection(scopes=ALL_SCOPES),
    Selection(hour(1), hour(4), scopes=ALL_SCOPES, metrics=("volume",)),
    Selection(scopes=frozenset({"a", "ä"})),
    Selection(scopes=frozenset({"a "}), labels={"flavor": frozenset({"a", None})}),
    Selection(scopes=ALL_SCOPES, labels={"flavor": frozenset({"a ", "ä", "B"})}),
)
FAR = 10**30


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read few frames by each statement."""
    monkeypatch.setattr(frame_pages, "SLICE", 50)


def store(storage: Storage) -> None:
    """Store usage of which each period of a scope has several frames, or none."""
    numbers = itertools.count(1)

    def pairs(count: int) -> list[tuple[str, str]]:
        return [("1", str(next(numbers))) for _ in range(count)]

    series = []
    for number, scope in enumerate(SCOPES):
        # Each scope begins later than the one before, and has more usage.
        begin = number
        count = HOURS - begin
        for flavor in FLAVORS[: 2 + number]:
            labels = {"flavor": flavor}
            series.append(build_series(scope, pairs(count), labels=labels, begin=hour(begin)))
            series.append(
                build_series(
                    scope,
                    pairs(count),
                    metric="volume",
                    unit="GiB",
                    metadata=labels,
                    begin=hour(begin),
                )
            )
    storage.ledger.commit(batch(list_scopes(storage, *SCOPES), *series, periods=window(HOURS)))


def pages(size: int, total: int) -> Iterator[Page]:
    """Yield pages until after the end."""
    for offset in range(0, total + 2 * size, size):
        yield Page(offset, size)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_pages_of_groups_are_the_whole(storage: Storage, selection: Selection) -> None:
    store(storage)
    reports = storage.reports
    for groupby in GROUPBYS:
        whole = list(reports.summary(selection, groupby, BERLIN, EVERYTHING))
        assert whole
        assert count_groups(reports, selection, groupby, BERLIN) == len(whole)
        for size in (1, 3, len(whole), FAR):
            parts = [
                list(reports.summary(selection, groupby, BERLIN, page))
                for page in pages(size, len(whole))
            ]
            assert [row for part in parts for row in part] == whole
            assert all(len(part) <= size for part in parts)
        assert list(reports.summary(selection, groupby, BERLIN, Page(limit=0))) == []
        assert list(reports.summary(selection, groupby, BERLIN, Page(FAR))) == []
        assert list(reports.summary(selection, groupby, BERLIN, Page(1))) == whole[1:]


@pytest.mark.parametrize("max_spans", [1, 10_000])
def test_groups_that_sql_cannot_number_have_the_same_pages(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, max_spans: int
) -> None:
    monkeypatch.setattr(time_axis, "MAX_SPANS", max_spans)
    store(storage)
    selection = SELECTIONS[0]
    rows = list(storage.reports.summary(selection, ("hour", "scope"), BERLIN, Page(2, 3)))
    assert [(row.group["hour"], row.group["scope"]) for row in rows] == [
        (hour(1), "a"),
        (hour(2), "Z"),
        (hour(2), "a"),
    ]
    assert count_groups(storage.reports, selection, ("hour",), BERLIN) == HOURS


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_page_knows_the_number_of_groups_and_how_far_they_go(
    storage: Storage, selection: Selection
) -> None:
    store(storage)
    is_alone = selection.scopes is not ALL_SCOPES and len(selection.scopes) == 1
    for groupby in GROUPBYS:
        whole = list(storage.reports.summary(selection, groupby, BERLIN))
        for page in (EVERYTHING, Page(limit=1), Page(1, 2), Page(0, len(whole)), Page(FAR, 1)):
            summary = storage.reports.summary_page(selection, groupby, BERLIN, page, len(whole))
            assert summary.rows == whole[page.offset : page.end]
            assert summary.total == len(whole)
            assert summary.rated_until == (hour(HOURS) if is_alone else None)


def test_more_groups_by_labels_than_the_reader_takes_are_refused(storage: Storage) -> None:
    store(storage)
    selection = SELECTIONS[0]
    whole = list(storage.reports.summary(selection, ("flavor", "hour"), BERLIN))
    with pytest.raises(errors.TooManyGroups, match=f"more than {len(whole) - 1} groups"):
        storage.reports.summary_page(
            selection, ("flavor", "hour"), BERLIN, Page(limit=1), len(whole) - 1
        )
    # SQL cuts pages of any number of groups.
    summary = storage.reports.summary_page(selection, ("scope", "hour"), BERLIN, Page(limit=1), 1)
    assert len(summary.rows) == 1 < summary.total


def test_groups_by_labels_are_counted_while_they_are_added_up(storage: Storage) -> None:
    store(storage)
    with statements() as seen:
        storage.reports.summary_page(SELECTIONS[0], ("flavor",), BERLIN, Page(limit=1))
    assert len([text for text in seen if "frames" in text.replace("frames_until", "")]) == 1


def test_any_pages_of_frames_are_the_whole(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage)
    reports = storage.reports
    whole = {number: list(reports.frames(part)) for number, part in enumerate(SELECTIONS)}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        number=st.sampled_from(sorted(whole)),
        slice_frames=st.sampled_from([1, 2, 7, 10_000]),
        size=st.sampled_from([1, 2, 5, 19, 1000, FAR]),
        start=st.integers(0, 200),
    )
    def check(number: int, slice_frames: int, size: int, start: int) -> None:
        monkeypatch.setattr(frame_pages, "SLICE", slice_frames)
        selection, frames = SELECTIONS[number], whole[number]
        assert reports.count_frames(selection) == len(frames)
        assert list(reports.frames(selection)) == frames
        assert list(reports.frames(selection, Page(start))) == frames[start:]
        assert list(reports.frames(selection, Page(start, size))) == frames[start : start + size]

    check()
    for selection, frames in zip(SELECTIONS, whole.values(), strict=True):
        parts = [reports.frames(selection, page) for page in pages(7, len(frames))]
        assert list(itertools.chain.from_iterable(parts)) == frames
        assert list(reports.frames(selection, Page(limit=0))) == []
        assert list(reports.frames(selection, Page(FAR, FAR))) == []


def test_frames_have_a_total_order(storage: Storage) -> None:
    """No two frames of a scope key share scope, begin and descriptor."""
    store(storage)
    keys = [
        (
            frame.begin,
            frame.scope,
            frame.metric,
            tuple(frame.groupby.items()),
            tuple(frame.metadata.items()),
            frame.unit,
        )
        for frame in storage.reports.frames(SELECTIONS[0])
    ]
    assert len(set(keys)) == len(keys) == 100


def test_a_page_of_frames_reads_its_periods_only(storage: Storage) -> None:
    store(storage)
    frames = list(storage.reports.frames(SELECTIONS[0]))
    with statements() as seen:
        assert list(storage.reports.frames(SELECTIONS[0], Page(40, 3))) == frames[40:43]
    reading = [text for text in seen if "FROM frames" in text]
    assert len(reading) == 1
    assert re.search(r"begin\W* >= ", reading[0])
    assert re.search(r"begin\W* < ", reading[0])


def test_all_frames_are_read_even_if_totals_are_wrong(storage: Storage, url: str) -> None:
    store(storage)
    frames = list(storage.reports.frames(SELECTIONS[0]))
    with Database(url).writing() as connection:
        connection.execute(TOTALS.delete().where(TOTALS.c.begin != hour(2)))
        connection.execute(sa.update(TOTALS).values(points=1))
    assert list(storage.reports.frames(SELECTIONS[0])) == frames


def test_frames_and_groups_are_counted_by_totals(storage: Storage) -> None:
    store(storage)
    with statements() as seen:
        storage.reports.count_frames(SELECTIONS[1])
        count_groups(storage.reports, SELECTIONS[1], ("scope", "day"), BERLIN)
    assert not any("frames" in text.replace("frames_until", "") for text in seen)


def test_groups_are_counted_and_cut_by_the_database(storage: Storage) -> None:
    store(storage)
    for selection in SELECTIONS:
        with statements() as seen:
            count_groups(storage.reports, selection, ("scope", "day"), BERLIN)
            list(storage.reports.summary(selection, ("scope", "day"), BERLIN, Page(1, 2)))
        assert any("count(*)" in text and "DISTINCT" in text for text in seen)
        assert any("dense_rank" in text for text in seen)


class TestPurged:
    """Totals that outlive their frames do not count as frames."""

    def purge(self, storage: Storage, before: int) -> None:
        storage.purge.start(hour(before), totals=False)
        assert sum(count.frames for count in storage.purge.remove(1000)) > 0

    def test_only_frames_that_are_left_count(self, storage: Storage) -> None:
        store(storage)
        frames = list(storage.reports.frames(SELECTIONS[0]))
        self.purge(storage, 2)
        left = [frame for frame in frames if frame.begin >= hour(2)]
        for selection in (SELECTIONS[0], Selection(hour(1), scopes=ALL_SCOPES)):
            assert storage.reports.count_frames(selection) == len(left)
            assert list(storage.reports.frames(selection)) == left
            assert list(storage.reports.frames(selection, Page(3, 30))) == left[3:33]
        early = Selection(end=hour(1), scopes=ALL_SCOPES)
        assert storage.reports.count_frames(early) == 0
        assert list(storage.reports.frames(early, Page(0, 5))) == []

    def test_frames_before_the_mark_that_a_purge_left_count(self, storage: Storage) -> None:
        store(storage)
        late = list_scopes(storage, *SCOPES, "late")[-1:]
        work = build_series("late", [("1", "0.5")])
        storage.ledger.commit(batch(late, work, periods=window(1)))
        self.purge(storage, 3)
        frames = list(storage.reports.frames(SELECTIONS[0]))
        assert frames[0].scope == "late"
        assert frames[0].price == Decimal("0.5")
        assert storage.reports.count_frames(SELECTIONS[0]) == len(frames)
        assert list(storage.reports.frames(SELECTIONS[0], Page(0, 4))) == frames[:4]
        assert list(storage.reports.frames(SELECTIONS[0], Page(1, 4))) == frames[1:5]


def test_a_page_has_no_negative_numbers() -> None:
    for wrong in ((-1, None), (0, -1)):
        with pytest.raises(ValueError, match="negative"):
            Page(*wrong)


def test_an_empty_set_of_scopes_selects_nothing_by_any_method(storage: Storage) -> None:
    store(storage)
    for labels in ({}, {"flavor": frozenset({"a", None})}):
        nothing = Selection(scopes=frozenset(), labels=labels)
        assert storage.reports.count_frames(nothing) == 0
        assert list(storage.reports.frames(nothing)) == []
        assert list(storage.reports.frames(nothing, Page(0, 5))) == []
        for groupby in GROUPBYS:
            assert count_groups(storage.reports, nothing, groupby, BERLIN) == 0
            assert list(storage.reports.summary(nothing, groupby, BERLIN)) == []
            assert list(storage.reports.summary(nothing, groupby, BERLIN, Page(0, 5))) == []


def test_times_of_periods_are_utc(storage: Storage) -> None:
    store(storage)
    selection = Selection(scopes=frozenset({"Z"}))
    rows = list(storage.reports.summary(selection, ("period", "day"), BERLIN))
    assert [row.group["period"] for row in rows] == [hour(number) for number in range(HOURS)]
    zones = {value.tzinfo for row in rows for value in row.group.values()}  # type: ignore[union-attr]
    assert zones == {datetime.UTC, BERLIN}
