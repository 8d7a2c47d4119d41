"""What operators see of the state of rating, on every database."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.monitoring import (
    ExclusionGroup,
    MonitoringFacts,
    ProcessorRecord,
    SilentMetric,
)
from ratekit.interfaces import Storage
from ratekit.storage.sql import open_storage
from tests.contract.given import batch, build_series, hour, list_scopes, statements, window

ERROR = "Keystone \x00 answered 503"


def facts(storage: Storage, newest: int) -> MonitoringFacts:
    """Return the facts with a newest period that begins at this hour."""
    return storage.monitoring.facts(window(1, hour(newest)))


def report(name: str, seen: float, *, next_cycle: float | None = None) -> ProcessorRecord:
    """Return a report of a processor that started at hour 0."""
    instant = None if next_cycle is None else hour(next_cycle)
    return ProcessorRecord(name, hour(0), hour(seen), instant)


class TestProcessors:
    def test_a_report_replaces_the_last_one_of_the_same_processor(self, storage: Storage) -> None:
        storage.monitoring.record(report("b", 1))
        failing = ProcessorRecord("b", hour(0), hour(2), hour(3), "no answer", hour(1))
        storage.monitoring.record(failing)
        storage.monitoring.record(report("a", 2))
        assert facts(storage, 0).processors == [report("a", 2), failing]
        assert storage.monitoring.processors() == [report("a", 2), failing]

    def test_an_error_that_no_database_can_store_is_changed(self, storage: Storage) -> None:
        storage.monitoring.record(ProcessorRecord("a", hour(0), hour(1), None, ERROR, hour(1)))
        [record] = facts(storage, 0).processors
        assert record.error == "Keystone ? answered 503"

    def test_a_processor_that_ends_is_removed(self, storage: Storage) -> None:
        storage.monitoring.record(report("a", 1))
        storage.monitoring.record(report("b", 1))
        storage.monitoring.remove("a")
        assert facts(storage, 0).processors == [report("b", 1)]

    def test_a_new_processor_removes_those_that_died_more_than_a_day_ago(
        self, storage: Storage
    ) -> None:
        storage.monitoring.record(report("dead", 1))
        storage.monitoring.record(report("recent", 2))
        storage.monitoring.record(report("new", 25.5))
        assert [row.name for row in facts(storage, 0).processors] == ["new", "recent"]

    def test_processors_of_another_scope_key_are_apart(self, storage: Storage, url: str) -> None:
        storage.monitoring.record(report("a", 1))
        other = open_storage(url, scope_key="domain_id", fetcher="static", collector="gnocchi")
        assert facts(other, 0).processors == []
        other.monitoring.record(report("a", 30))
        assert facts(storage, 0).processors == [report("a", 1)]


def test_exclusions_that_last_are_grouped_by_their_reason(storage: Storage) -> None:
    states = list_scopes(storage, "a", "b")
    policy, size = ("its archive policy is 'low'", "replace it"), ("it is too large", "correct it")
    lasting = [
        Exclusion("a", "instance", "i1", *policy),
        Exclusion("a", "instance", "i2", *policy),
        Exclusion("b", "instance", "i3", *policy),
    ]
    ended = [Exclusion("a", "instance", "i4", *size)]
    storage.ledger.commit(batch(states, exclusions=[*lasting[:2], *ended]))
    states = list_scopes(storage, "a", "b", now=hour(1))
    storage.ledger.commit(batch(states, periods=window(1, hour(1)), exclusions=lasting))
    assert facts(storage, 1).exclusions == [ExclusionGroup("instance", *policy, 3, 2, hour(0))]


def rate(storage: Storage, begin: int, usage: dict[str, str]) -> None:
    """Rate an hour in which scopes use the metrics that their letters start with."""
    states = list_scopes(storage, *usage, now=hour(begin))
    names = {"c": "cpu", "d": "disk"}
    series = [
        build_series(scope, [("1", "0.5")], metric=names[letter], begin=hour(begin))
        for scope, letters in usage.items()
        for letter in letters
    ]
    work = batch(states, *series, periods=window(1, hour(begin)), metrics=("cpu", "disk", "gpu"))
    storage.ledger.commit(work)


class TestSilentMetrics:
    def test_a_metric_is_silent_since_its_usage_stopped_in_the_last_scope(
        self, storage: Storage
    ) -> None:
        for number, usage in enumerate([("cd", "cd"), ("c", "cd"), ("c", "c"), ("c", "c")]):
            rate(storage, number, dict(zip("ab", usage, strict=True)))
        assert facts(storage, 3).silent_metrics == [SilentMetric("disk", 2, hour(2))]

    def test_one_period_without_usage_is_not_silence_while_a_cycle_may_run(
        self, storage: Storage
    ) -> None:
        rate(storage, 0, {"a": "cd"})
        rate(storage, 1, {"a": "c"})
        assert facts(storage, 1).silent_metrics == []

    def test_usage_in_one_scope_is_no_silence(self, storage: Storage) -> None:
        for number in range(4):
            rate(storage, number, {"a": "c" if number else "cd", "b": "d"})
        assert facts(storage, 3).silent_metrics == []

    def test_usage_that_has_come_back_is_no_silence(self, storage: Storage) -> None:
        for number, letters in enumerate(("d", "", "", "d", "d")):
            rate(storage, number, {"a": letters})
        assert facts(storage, 4).silent_metrics == []

    def test_metrics_that_were_never_used_are_not_silent(self, storage: Storage) -> None:
        rate(storage, 0, {"a": "c"})
        rate(storage, 1, {"a": "c"})
        assert facts(storage, 1).silent_metrics == []
        assert storage.ledger.metrics_with_usage() == {"cpu"}

    def test_a_scope_that_is_not_rated_any_more_does_not_count(self, storage: Storage) -> None:
        for number in range(4):
            rate(storage, number, {"a": "c" if number else "cd"})
        storage.scopes.deactivate("a", hour(5))
        assert facts(storage, 3).silent_metrics == []


class TestFreeUsage:
    @pytest.fixture(autouse=True)
    def usage(self, storage: Storage) -> None:
        """Usage with and without a price, in two periods."""
        states = list_scopes(storage, "a")
        prices = {"free": ("2", "0E-28"), "used": ("2", "1E-28"), "nothing": ("0E-18", "0")}
        series = [
            build_series("a", [pair, pair], metric="cpu", metadata={"flavor": name})
            for name, pair in prices.items()
        ]
        series.append(build_series("a", [("1", "0"), ("1", "3")], metric="disk"))
        storage.ledger.commit(batch(states, *series, periods=window(2), metrics=("cpu", "disk")))

    def test_usage_at_price_0_of_one_period_is_counted_by_metric(self, storage: Storage) -> None:
        assert facts(storage, 0).free_usage == {"cpu": 1, "disk": 1}
        assert facts(storage, 1).free_usage == {"cpu": 1}

    def test_frames_at_price_0_have_their_labels(self, storage: Storage) -> None:
        [frame] = storage.monitoring.free_frames(hour(0), ["cpu"], 10)
        assert (frame.metric, frame.begin) == ("cpu", hour(0))
        assert (frame.quantity, frame.metadata) == (Decimal(2), {"flavor": "free"})
        assert len(storage.monitoring.free_frames(hour(0), ["cpu", "disk"], 1)) == 1

    def test_the_whole_that_thresholds_see_is_read(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", now=hour(2))
        shared = build_series("a", [("1", "0")], begin=hour(2), shared={0: ("4", "0.25")})
        storage.ledger.commit(batch(states, shared, periods=window(1, hour(2))))
        [frame] = storage.monitoring.free_frames(hour(2), ["instance"], 10)
        assert frame.shared is not None
        assert frame.shared.whole == 4


def test_many_scopes_take_as_many_statements_as_few(storage: Storage) -> None:
    """Each scope has usage at price 0 that stops, and an excluded resource."""
    counts, all_names = [], []
    for size in (1, 40):
        names = [f"{size} {number}" for number in range(size)]
        all_names += names
        states = list_scopes(storage, *names)
        usage = [build_series(name, [("1", "0")]) for name in names]
        exclusions = [Exclusion(name, "instance", "i1", "reason", "remedy") for name in names]
        storage.ledger.commit(batch(states, *usage, periods=window(4), exclusions=exclusions))
        with statements() as sent_statements:
            first, last = facts(storage, 0), facts(storage, 3)
        counts.append(len(sent_statements))
        assert first.free_usage == {"instance": len(all_names)}
        assert [group.scopes for group in last.exclusions] == [len(all_names)]
        assert last.silent_metrics == [SilentMetric("instance", len(all_names), hour(1))]
    assert counts[0] == counts[1]
