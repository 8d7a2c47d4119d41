"""The reports of every storage."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from collections.abc import Sequence
from decimal import Decimal

import pytest

from ratekit.domain.reporting.reports import (
    ALL_SCOPES,
    FrameRow,
    Page,
    Selection,
    StateRow,
    SummaryRow,
)
from ratekit.interfaces import Storage
from ratekit.storage.sql import open_storage
from tests.contract.given import (
    HOUR,
    START,
    batch,
    build_series,
    hour,
    list_scopes,
    statements,
    window,
)

UTC = datetime.UTC
ALL = Selection(scopes=ALL_SCOPES)


def store_usage(storage: Storage) -> None:
    """Store three hours of two scopes, two metrics and some labels."""
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a", "b"),
            build_series(
                "a", [("1", "0.1"), ("1", "0.1"), ("1", "0.1")], labels={"flavor": "small"}
            ),
            build_series(
                "a", [("2", "0.4"), ("2", "0.4")], labels={"flavor": "large"}, begin=hour(1)
            ),
            build_series("b", [("4", "1.6")], labels={"flavor": "large"}, begin=hour(2)),
            build_series(
                "b",
                [("10.5", "0.7")] * 3,
                metric="volume",
                unit="GiB",
                metadata={"type": "ssd"},
            ),
            periods=window(3),
        )
    )


def summary(
    storage: Storage,
    *groupby: str,
    selection: Selection = ALL,
    zone: datetime.tzinfo = UTC,
) -> Sequence[SummaryRow]:
    """Return a summary."""
    return list(storage.reports.summary(selection, groupby, zone))


def row(
    points: int, quantity: str | None, unit: str | None, price: str, **group: object
) -> SummaryRow:
    """Return a row of a summary."""
    amount = None if quantity is None else Decimal(quantity)
    return SummaryRow(group, points, amount, unit, Decimal(price))  # type: ignore[arg-type]


def test_each_metric_has_the_labels_of_all_its_frames(storage: Storage) -> None:
    assert storage.reports.labels() == {}
    store_usage(storage)
    assert {name: set(labels) for name, labels in storage.reports.labels().items()} == {
        "instance": {"flavor", "project_id"},
        "volume": {"type", "project_id"},
    }


class TestSummary:
    def test_nothing_stored_is_no_row(self, storage: Storage) -> None:
        list_scopes(storage, "a")
        assert list(summary(storage)) == []
        assert list(summary(storage, "scope", "flavor", "day")) == []

    def test_everything_together_has_a_price_but_no_quantity(self, storage: Storage) -> None:
        store_usage(storage)
        assert summary(storage) == [row(9, None, None, "4.8")]

    def test_scopes_and_metrics(self, storage: Storage) -> None:
        store_usage(storage)
        assert summary(storage, "scope", "metric") == [
            row(5, "7", "instance", "1.1", scope="a", metric="instance"),
            row(1, "4", "instance", "1.6", scope="b", metric="instance"),
            row(3, "31.5", "GiB", "2.1", scope="b", metric="volume"),
        ]
        assert summary(storage, "metric") == [
            row(6, "11", "instance", "2.7", metric="instance"),
            row(3, "31.5", "GiB", "2.1", metric="volume"),
        ]

    def test_groups_come_in_the_order_of_the_request(self, storage: Storage) -> None:
        store_usage(storage)
        rows = summary(storage, "metric", "scope")
        assert [tuple(entry.group.items()) for entry in rows] == [
            (("metric", "instance"), ("scope", "a")),
            (("metric", "instance"), ("scope", "b")),
            (("metric", "volume"), ("scope", "b")),
        ]

    def test_hours(self, storage: Storage) -> None:
        store_usage(storage)
        assert summary(
            storage, "hour", selection=Selection(metrics=("instance",), scopes=ALL_SCOPES)
        ) == [
            row(1, "1", "instance", "0.1", hour=hour(0)),
            row(2, "3", "instance", "0.5", hour=hour(1)),
            row(3, "7", "instance", "2.1", hour=hour(2)),
        ]

    def test_labels_come_from_groupby_and_metadata_and_may_be_absent(
        self, storage: Storage
    ) -> None:
        store_usage(storage)
        assert summary(storage, "type", "flavor") == [
            row(3, "8", "instance", "2.4", type=None, flavor="large"),
            row(3, "3", "instance", "0.3", type=None, flavor="small"),
            row(3, "31.5", "GiB", "2.1", type="ssd", flavor=None),
        ]

    def test_labels_with_scope_and_hour(self, storage: Storage) -> None:
        store_usage(storage)
        rows = summary(
            storage,
            "flavor",
            "scope",
            "hour",
            selection=Selection(begin=hour(2), scopes=ALL_SCOPES),
        )
        assert rows == [
            row(1, "10.5", "GiB", "0.7", flavor=None, scope="b", hour=hour(2)),
            row(1, "2", "instance", "0.4", flavor="large", scope="a", hour=hour(2)),
            row(1, "4", "instance", "1.6", flavor="large", scope="b", hour=hour(2)),
            row(1, "1", "instance", "0.1", flavor="small", scope="a", hour=hour(2)),
        ]

    @pytest.mark.parametrize(
        "selection",
        [
            Selection(scopes=ALL_SCOPES),
            Selection(begin=hour(1), scopes=ALL_SCOPES),
            Selection(end=hour(1), scopes=ALL_SCOPES),
            Selection(begin=hour(1), end=hour(2), scopes=ALL_SCOPES),
            Selection(scopes=frozenset({"b"})),
            Selection(scopes=frozenset({"a", "b"}), metrics=("volume",)),
            Selection(begin=hour(1), scopes=frozenset({"a"}), metrics=("instance", "nothing")),
            Selection(begin=hour(30), scopes=ALL_SCOPES),
            Selection(scopes=frozenset({"b", "b ", "B", "\x00", "\ud800", "'", '"', "x" * 256})),
            Selection(scopes=ALL_SCOPES, metrics=("volume", "volume\x00", "\ud800", "x" * 256)),
        ],
    )
    def test_totals_and_frames_agree_on_every_selection(
        self, storage: Storage, selection: Selection
    ) -> None:
        store_usage(storage)
        frames = list(storage.reports.frames(selection))
        by_total = summary(storage, "metric", selection=selection)
        by_frame = summary(storage, "metric", "project_id", selection=selection)
        price = sum((frame.price for frame in frames), Decimal(0))
        for rows in (by_total, by_frame):
            assert sum(entry.points for entry in rows) == len(frames)
            assert sum((entry.price for entry in rows), Decimal(0)) == price

    def test_an_empty_set_of_scopes_selects_nothing(self, storage: Storage) -> None:
        store_usage(storage)
        nothing = Selection(scopes=frozenset())
        assert list(storage.reports.frames(nothing)) == []
        for groupby in ((), ("scope",), ("metric", "day"), ("flavor",)):
            assert summary(storage, *groupby, selection=nothing) == []

    def test_a_metric_whose_unit_was_changed_has_no_quantity_over_both(
        self, storage: Storage
    ) -> None:
        states = list_scopes(storage, "a")
        storage.ledger.commit(batch(states, build_series("a", [("1", "1")], unit="MiB")))
        states = list_scopes(storage, "a")
        work = build_series("a", [("2", "2")], unit="GiB", begin=hour(1))
        storage.ledger.commit(batch(states, work, periods=window(1, hour(1))))
        assert summary(storage, "metric") == [row(2, None, None, "3", metric="instance")]
        assert summary(storage, "hour") == [
            row(1, "1", "MiB", "1", hour=hour(0)),
            row(1, "2", "GiB", "2", hour=hour(1)),
        ]

    def test_a_summary_without_labels_reads_no_frames(self, storage: Storage) -> None:
        store_usage(storage)
        with statements() as seen:
            summary(storage, "scope", "metric", "day")
        assert not any("frames" in statement for statement in seen)

    def test_scopes_of_another_key_are_not_reported(self, storage: Storage, url: str) -> None:
        store_usage(storage)
        by_user = open_storage(url, scope_key="user_id", fetcher="static", collector="gnocchi")
        by_user.ledger.commit(batch(list_scopes(by_user, "a"), build_series("a", [("1", "9")])))
        assert summary(by_user, "scope") == [row(1, "1", "instance", "9", scope="a")]
        assert [frame.price for frame in by_user.reports.frames(ALL)] == [Decimal(9)]
        assert len(by_user.reports.scopes(ALL_SCOPES)) == 1
        assert [entry.price for entry in summary(storage)] == [Decimal("4.8")]


class TestTimeZones:
    def store_hours(self, storage: Storage, begin: datetime.datetime, count: int) -> None:
        """Store hours with the prices 1, 2, 4 and so on."""
        pairs = [("1", str(2**number)) for number in range(count)]
        work = build_series("a", pairs, begin=begin, labels={"flavor": "small"})
        states = list_scopes(storage, "a", start=begin)
        storage.ledger.commit(batch(states, work, periods=window(count, begin)))

    @pytest.mark.parametrize("labels", [(), ("flavor",)])
    def test_the_hour_that_comes_twice_is_two_hours(
        self, storage: Storage, labels: tuple[str, ...]
    ) -> None:
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        first = datetime.datetime(2026, 10, 25, tzinfo=UTC)
        self.store_hours(storage, first - HOUR, 4)
        rows = summary(storage, "hour", *labels, zone=berlin)
        assert [entry.price for entry in rows] == [1, 2, 4, 8]
        hours = [entry.group["hour"].isoformat() for entry in rows]  # type: ignore[union-attr]
        assert hours == [
            "2026-10-25T01:00:00+02:00",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T03:00:00+01:00",
        ]

    def test_days_of_23_and_25_hours(self, storage: Storage) -> None:
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        begin = datetime.datetime(2026, 3, 28, tzinfo=berlin).astimezone(UTC)
        self.store_hours(storage, begin, 24 + 23 + 1)
        rows = summary(storage, "day", zone=berlin)
        assert [entry.points for entry in rows] == [24, 23, 1]
        assert [entry.group["day"] for entry in rows] == [
            datetime.datetime(2026, 3, day, tzinfo=berlin) for day in (28, 29, 30)
        ]

    def test_a_month_starts_in_the_zone_of_the_report(self, storage: Storage) -> None:
        tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
        self.store_hours(storage, datetime.datetime(2026, 3, 31, 13, tzinfo=UTC), 4)
        rows = summary(storage, "month", "metric", zone=tokyo)
        assert [(entry.group["month"], entry.price) for entry in rows] == [
            (datetime.datetime(2026, 3, 1, tzinfo=tokyo), Decimal(1 + 2)),
            (datetime.datetime(2026, 4, 1, tzinfo=tokyo), Decimal(4 + 8)),
        ]


class TestFrames:
    def test_they_come_by_begin_scope_metric_and_labels(self, storage: Storage) -> None:
        store_usage(storage)
        frames = list(storage.reports.frames(ALL))
        key = [
            (frame.begin, frame.scope, frame.metric, frame.groupby.get("flavor") or "")
            for frame in frames
        ]
        assert key == sorted(key)
        assert len(frames) == 9
        assert frames[0] == FrameRow(
            begin=START,
            scope="a",
            metric="instance",
            unit="instance",
            quantity=Decimal(1),
            price=Decimal("0.1"),
            groupby={"project_id": "a", "flavor": "small"},
            metadata={},
        )

    def test_no_more_than_the_limit(self, storage: Storage) -> None:
        store_usage(storage)
        frames = list(storage.reports.frames(ALL))
        assert list(storage.reports.frames(ALL, Page(limit=4))) == frames[:4]
        assert list(storage.reports.frames(ALL, Page(limit=0))) == []

    def test_values_look_the_same_from_every_database(self, storage: Storage) -> None:
        # A price by a tiny negative rate is rounded to a negative zero.
        pairs = [("100.000", "0.0000000"), ("1e2", "1E-10"), ("0.50", "20"), ("1", "-0E-28")]
        work = build_series("a", pairs)
        storage.ledger.commit(batch(list_scopes(storage, "a"), work, periods=window(4)))
        texts = [(str(frame.quantity), str(frame.price)) for frame in storage.reports.frames(ALL)]
        assert texts == [("100", "0"), ("100", "1E-10"), ("0.5", "20"), ("1", "0")]
        sums = summary(storage, "hour")
        assert [str(row.price) for row in sums] == ["0", "1E-10", "20", "0"]

    def test_a_reader_that_stops_early_blocks_no_writer(self, storage: Storage) -> None:
        store_usage(storage)
        (first,) = itertools.islice(storage.reports.frames(ALL), 1)
        assert first.begin == START
        states = list_scopes(storage, "a", "b")
        assert not storage.ledger.commit(batch(states, periods=window(1, hour(3)))).lost_scopes

    def test_a_reader_sees_one_snapshot_while_others_write(self, storage: Storage) -> None:
        store_usage(storage)
        reader = iter(storage.reports.frames(ALL))
        next(reader)
        states = list_scopes(storage, "a", "b")
        work = build_series("a", [("1", "1")], begin=hour(3))
        storage.ledger.commit(batch(states, work, periods=window(1, hour(3))))
        assert len(list(reader)) == 8
        assert len(list(storage.reports.frames(ALL))) == 10


class TestScopes:
    def test_they_come_by_name_and_id_active_or_not(self, storage: Storage) -> None:
        list_scopes(storage, "b", "a", "Z", now=hour(0.5))
        (state,) = list_scopes(storage, "gone", now=hour(0.5))
        storage.ledger.commit(batch([state]))
        list_scopes(storage, "b", "a", "Z", now=hour(2))
        rows = storage.reports.scopes(ALL_SCOPES)
        assert [entry.id for entry in rows] == ["Z", "a", "b", "gone"]
        assert rows[3] == StateRow(
            "gone",
            "name of gone",
            hour(1),
            False,
            0,
            None,
            None,
            hour(0.5),
            "keystone",
            "gnocchi",
            "project_id",
        )
        assert rows[0].active

    def test_only_those_with_these_ids(self, storage: Storage) -> None:
        list_scopes(storage, "a", "A", "a'", "b")
        ids = frozenset({"b", "a", "nobody", "a\0b", "x" * 300})
        assert [entry.id for entry in storage.reports.scopes(ids)] == ["a", "b"]
        assert storage.reports.scopes(frozenset()) == []
