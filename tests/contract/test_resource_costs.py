"""What resources cost, what happened to one, and how far a project is rated, on every database."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.admin import rating_state, resource_costs, resource_history
from ratekit.admin.rating_state import Gap, Progress, RatingState
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
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

CALENDAR = Calendar(HOUR, 0)
A = frozenset({"a"})


def vm(name: str, flavor: str, begin: int, *prices: str, scope: str = "a") -> RatedSeries:
    return build_series(
        scope,
        [("1", price) for price in prices],
        begin=hour(begin),
        labels={"id": "vm-1"},
        metadata={"display_name": name, "flavor": flavor},
    )


def rate(storage: Storage) -> None:
    """Rate five hours: a server that is renamed, resized and back again, its disk, an address."""
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a", "b"),
            vm("web", "small", 0, "0.1", "0.1"),
            vm("Shop", "large", 1, "0.25", "0.5"),
            vm("Shop", "small", 3, "0.1", "0.1"),
            build_series(
                "a", [("9", "0.07")] * 5, metric="disk", unit="GiB", labels={"id": "vm-1"}
            ),
            build_series("a", [("1", "0.3")], metric="disk", labels={"id": "Disk-2"}),
            build_series("a", [("1", "0.01")] * 3, metric="address", unit="ip"),
            vm("theirs", "huge", 0, "100", scope="b"),
            periods=window(5),
            metrics=("instance", "disk", "address"),
        )
    )


def read(storage: Storage, **selection: object) -> list[tuple[str | None, str]]:
    chosen = Selection(START, hour(9), scopes=A, **selection)  # type: ignore[arg-type]
    costs = resource_costs.read(storage.reports, chosen, 100)
    total = ZERO
    for row in storage.reports.summary(chosen, (), datetime.UTC):
        total = EXACT.add(total, row.price)
    assert sum((cost.price for cost in costs), ZERO) == total
    return [(cost.id, f"{cost.price.normalize():f}") for cost in costs]


class TestResourceCosts:
    def test_the_dearest_come_first_and_add_up(self, storage: Storage) -> None:
        rate(storage)
        assert read(storage) == [("vm-1", "1.5"), ("Disk-2", "0.3"), (None, "0.03")]
        assert read(storage, metrics=("disk",)) == [("vm-1", "0.35"), ("Disk-2", "0.3")]

    def test_a_resource_has_all_its_names_and_metrics(self, storage: Storage) -> None:
        rate(storage)
        first, second, _ = resource_costs.read(
            storage.reports, Selection(START, hour(9), scopes=A), 100
        )
        assert first.names == ["Shop", "web"]
        assert first.prices == {"instance": Decimal("1.15"), "disk": Decimal("0.35")}
        assert first.points == 11
        assert [first.matches(prefix) for prefix in ("VM", "sho", "we", "op")] == [
            *[True] * 3,
            False,
        ]
        assert [second.matches(prefix) for prefix in ("disk-", "vm", "")] == [True, False, True]

    def test_more_than_fit_into_memory_are_refused(self, storage: Storage) -> None:
        rate(storage)
        with pytest.raises(errors.TooManyGroups):
            resource_costs.read(storage.reports, Selection(START, hour(9), scopes=A), 2)

    def test_resources_of_any_number_cost_the_same_statements(self, storage: Storage) -> None:
        rate(storage)
        with statements() as sent:
            read(storage)
        assert len(sent) <= 9


class TestResourceHistory:
    def test_labels_have_spans_and_a_key(self, storage: Storage) -> None:
        rate(storage)
        selection = Selection(scopes=A, labels={"id": frozenset({"vm-1"})})
        rows = list(storage.reports.frames(selection))
        history = resource_history.build(rows, HOUR)
        spans = [
            (span.labels.get("flavor"), span.begin, span.end, f"{span.price.normalize():f}")
            for span in history.spans
        ]
        assert spans == [
            (None, START, hour(5), "0.35"),
            ("small", START, hour(2), "0.2"),
            ("large", hour(1), hour(3), "0.75"),
            ("small", hour(3), hour(5), "0.2"),
        ]
        assert history.changing == ["display_name", "flavor"]
        keys = {resource_history.frame_key(row) for row in rows}
        assert len(keys) == 4

    def test_a_span_ends_where_usage_pauses(self, storage: Storage) -> None:
        storage.ledger.commit(
            batch(
                list_scopes(storage, "a"),
                vm("web", "small", 0, "1"),
                vm("web", "small", 2, "1"),
                periods=window(3),
            )
        )
        rows = storage.reports.frames(Selection(scopes=A))
        history = resource_history.build(rows, HOUR)
        assert [(span.begin, span.end) for span in history.spans] == [
            (START, hour(1)),
            (hour(2), hour(3)),
        ]
        assert history.changing == []


def state(storage: Storage, begin: int, end: int, scope: str = "a") -> RatingState:
    ids = frozenset({scope, "b"})
    return rating_state.read(storage.reports, CALENDAR, ids, hour(begin), hour(end))[scope]


class TestRatingState:
    def test_progress(self, storage: Storage) -> None:
        rate(storage)
        assert state(storage, 0, 9, "x") == RatingState(Progress.UNKNOWN_SCOPE)
        assert [
            state(storage, begin, end).progress
            for begin, end in ((-9, 0), (-1, 1), (-1, 6), (0, 5), (4, 6), (5, 6))
        ] == [
            Progress.BEFORE,
            Progress.END,
            Progress.PARTLY,
            Progress.WHOLLY,
            Progress.PARTLY,
            Progress.FUTURE,
        ]
        partly = state(storage, 4, 6)
        assert (partly.rated_since, partly.rated_until) == (START, hour(5))
        assert not partly.is_over
        assert not partly.gaps

    def test_a_gap_begins_after_the_period_in_which_the_project_was_last_listed(
        self, storage: Storage
    ) -> None:
        rate(storage)
        list_scopes(storage, "a", now=hour(5.5))
        list_scopes(storage, "b", now=hour(6))
        list_scopes(storage, "a", now=hour(9), resume=hour(9))
        assert state(storage, 0, 20).gaps == [Gap(hour(6), hour(9))]
        assert state(storage, 7, 20).gaps == [Gap(hour(7), hour(9))]
        assert state(storage, 0, 6).gaps == []

    def test_a_project_that_is_deactivated_is_over(self, storage: Storage) -> None:
        rate(storage)
        storage.scopes.deactivate("a", hour(5.5))
        assert state(storage, 0, 20).is_over

    def test_purged_frames_and_totals(self, storage: Storage) -> None:
        rate(storage)
        storage.purge.start(hour(2), totals=False)
        assert storage.purge.mark().missing_until(START, from_totals=True) is None
        assert storage.purge.mark().missing_until(START, from_totals=False) == hour(2)
        storage.purge.start(hour(2), totals=True)
        assert storage.purge.mark().missing_until(START, from_totals=True) == hour(2)
        assert storage.purge.mark().missing_until(hour(2), from_totals=True) is None
