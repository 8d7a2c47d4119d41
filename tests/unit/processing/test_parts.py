"""Large scopes are collected in parts and committed at once."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.resource_part import ALL, ResourcePart, divide
from ratekit.interfaces import CommitResult, RatedBatch
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, MINUTE, MONTH
from tests.fakes import FakeCollector, FakeLedger, FakeRules
from tests.unit.processing.rating_bench import DUE, NOW, TIMED_OUT, RatingBench

#: Resources of the large scope.
IDS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(100)]


class DivisibleCollector(FakeCollector):
    """Each resource of scope ``large`` uses one of each metric; ``disk`` has no label for ids.

    :ivar parts: of each call of ``collect_part``
    :ivar before_part: is called by it
    :ivar limit: requests for more resources than this time out
    """

    def __init__(self, limit: int = 1000) -> None:
        super().__init__()
        self.parts: list[tuple[str, ResourcePart]] = []
        self.limit = limit
        self.before_part: Callable[[ResourcePart], None] = lambda part: None

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        yield from super().collect(metric, window, [id_ for id_ in scopes if id_ != "large"])
        if "large" in scopes:
            yield from self._usage(metric, window, ALL)

    def collect_part(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None,
        part: ResourcePart,
    ) -> Iterator[Series]:
        assert list(scopes) == ["large"]
        self.before_part(part)
        self.parts.append((metric.public_name, part))
        yield from self._usage(metric, window, part)

    def labels_tell_resources(self, metric: Metric) -> bool:
        return metric.public_name != "disk"

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        index = self.parts[-1][1].index if self.parts else 0
        return [Exclusion("large", metric.public_name, f"{index % 2}", "reason", "remedy")]

    def _usage(self, metric: Metric, window: Window, part: ResourcePart) -> Iterator[Series]:
        ids = [
            id_
            for id_ in IDS
            if (part.first or "") <= id_ and (part.stop is None or id_ < part.stop)
        ]
        if len(ids) > self.limit:
            raise TIMED_OUT
        points = [(begin, Decimal(1)) for begin in window.begins()]
        if self.labels_tell_resources(metric):
            for id_ in ids:
                yield Series("large", metric.public_name, metric.unit, {"id": id_}, {}, points)
        elif ids:
            points = [(begin, Decimal(len(ids))) for begin in window.begins()]
            yield Series("large", metric.public_name, metric.unit, {}, {}, points)


class SeriesLedger(FakeLedger):
    """Keeps the series of all batches, each with its window's length.

    :ivar refuses: a batch of more periods than this is refused
    """

    def __init__(self, rules: FakeRules) -> None:
        super().__init__(rules)
        self.series: list[tuple[int, RatedSeries]] = []
        self.refuses = 1000

    def commit(self, batch: RatedBatch) -> CommitResult:
        if batch.window.count > self.refuses:
            raise errors.TryLater("the transaction is too large")
        series = list(batch.series)
        assert series == list(batch.series)
        result = super().commit(dataclasses.replace(batch, series=()))
        self.series += [(batch.window.count, rated) for rated in series]
        return dataclasses.replace(result, frames=sum(len(rated.prices) for rated in series))


class Bench(RatingBench):
    """Rates scope ``large`` and scope ``other``."""

    def __init__(self, collector: DivisibleCollector, frames: int) -> None:
        super().__init__("large", "other", limit=1, collector=collector, ledger=SeriesLedger)
        self.usage = collector
        settings = dataclasses.replace(self.settings, batch_frames=frames)
        self.orchestrator.adopt(settings)

    @property
    def series_ledger(self) -> SeriesLedger:
        assert isinstance(self.ledger, SeriesLedger)
        return self.ledger

    def require_all_frames(self) -> None:
        """Require that each resource was charged once for each hour, and the sums of ``disk``."""
        frames: Counter[tuple[str, str | None, datetime.datetime]] = Counter()
        for _, rated in self.series_ledger.series:
            if rated.series.scope == "large":
                for begin, quantity in rated.series.points:
                    frames[rated.series.metric, rated.series.groupby.get("id"), begin] += 1
                    disk = rated.series.metric == "disk"
                    assert quantity == (len(IDS) if disk else 1)
        hours = [MONTH + hour * HOUR for hour in range(DUE)]
        expected = {("cpu", id_, begin) for id_ in IDS for begin in hours}
        assert frames == Counter(expected | {("disk", None, begin) for begin in hours})
        assert self.hours_rated() == {"large": DUE, "other": DUE}


def test_a_scope_whose_period_is_too_much_is_collected_in_parts() -> None:
    bench = Bench(DivisibleCollector(), frames=200)
    result = bench.rate()
    assert result == CycleResult((len(IDS) + 1 + 2) * DUE, 2 * DUE)
    bench.require_all_frames()
    # The first period tells how much it is; the others are one batch.
    counts = {count for count, rated in bench.series_ledger.series if rated.series.scope == "large"}
    assert counts == {1, DUE - 1}
    # 101 series with 9 points each weigh 1,717.
    assert bench.usage.parts == [(metric, part) for part in divide(9) for metric in ("cpu", "disk")]


def test_exclusions_of_all_parts_are_recorded_once() -> None:
    bench = Bench(DivisibleCollector(), frames=200)
    bench.rate()
    [batch] = [batch for batch in bench.ledger.commits if batch.window.count == DUE - 1][:1]
    assert {exclusion.resource for exclusion in batch.exclusions} == {"0", "1"}
    assert len(batch.exclusions) == len(set(batch.exclusions)) == 4


def test_a_scope_of_which_one_period_times_out_is_divided_and_not_put_off() -> None:
    bench = Bench(DivisibleCollector(limit=5), frames=10**6)
    bench.rate()
    bench.require_all_frames()
    assert bench.ledger.errors == {}


def test_a_scope_that_times_out_however_it_is_divided_is_put_off() -> None:
    bench = Bench(DivisibleCollector(limit=0), frames=10**6)
    result = bench.rate()
    assert (result.failed_scopes, result.retry_at) == (1, NOW + MINUTE)
    assert bench.hours_rated() == {"large": 0, "other": DUE}
    assert len({part.count for _, part in bench.usage.parts}) <= 3


def test_where_the_transaction_is_refused_the_window_becomes_one_period() -> None:
    bench = Bench(DivisibleCollector(), frames=200)
    bench.series_ledger.refuses = 1
    bench.rate()
    bench.require_all_frames()
    assert {
        count for count, rated in bench.series_ledger.series if rated.series.scope == "large"
    } == {1}
    # Of more than one period only once in vain: the first period, nine together, then each.
    first_parts = [part for metric, part in bench.usage.parts if metric == "cpu" and not part.index]
    assert len(first_parts) == 1 + (DUE - 1)


def test_a_stop_between_two_parts_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench(DivisibleCollector(), frames=200)
    bench.rate()
    bench.now += HOUR

    def stop(part: ResourcePart) -> None:
        if part.index == 2:
            bench.stop_after = 0

    bench.usage.before_part = stop
    bench.rate()
    assert bench.usage.parts[-1][1] == ResourcePart(2, 5)
    assert "was not rated: the processor stops" in caplog.text
    assert bench.hours_rated()["large"] == DUE
    assert bench.ledger.errors == {}
    bench.stop_after = 10**6
    bench.usage.before_part = lambda part: None
    bench.rate()
    assert bench.hours_rated() == {"large": DUE + 1, "other": DUE + 1}


def test_a_collector_that_cannot_divide_puts_the_scope_off() -> None:
    bench = RatingBench("large", "other", limit=1)
    bench.fail(lambda call: TIMED_OUT if "large" in call.scopes else None)
    assert bench.rate().failed_scopes == 1
    assert bench.hours_rated() == {"large": 0, "other": DUE}
