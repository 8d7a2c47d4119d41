"""Reprocessing on a real database, with a fake collector whose data may be missing."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.schedule.division import Sharing
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric
from ratekit.interfaces import RatingModule
from ratekit.processing.clock_check import ClockCheck
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.repricer import Repricer
from ratekit.processing.reprocessor import Reprocessor
from ratekit.processing.run_context import RunContext
from ratekit.storage.sql import open_storage
from tests.builders import MINUTE, call_in_turn, metric
from tests.contract.given import HOUR, batch, hour, list_scopes, window
from tests.fakes import CollectCall, FakeCollector, FakeModule
from tests.sharing import AloneInOrder

NOTE = TaskNote("prices were wrong", "ann@example", hour(99))
COUNT = 6


class IncompleteCollector(FakeCollector):
    """A collector whose data may be missing or expired.

    :ivar missing: (resource, metric, hour) of missing usage; None: all of them
    :ivar quantities: (resource, metric, hour) -> quantity, where it is not 2
    :ivar expired_before: calls for earlier periods fail, because their data has expired
    :ivar not_ready_reason: why rating must wait, or None
    """

    resources: Sequence[str] = ("r1", "r2")

    def __init__(self) -> None:
        super().__init__()
        self.label = "id"
        self.missing: set[tuple[str | None, str, int | None]] = set()
        self.quantities: dict[tuple[str, str, int], Decimal] = {}
        self.expired_before = hour(0)
        self.not_ready_reason: str | None = None
        self.failures.append(self._check_expired)

    def _check_expired(self, call: CollectCall) -> Exception | None:
        if call.window.begin >= self.expired_before:
            return None
        return errors.Expired("the archive keeps too little", "keep more")

    def not_ready(self) -> str | None:
        return self.not_ready_reason

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        for series in super().collect(metric, window, scopes, records_until):
            for resource in self.resources:
                points = [
                    (begin, self._quantity(resource, metric.public_name, begin))
                    for begin in window.begins()
                    if not self._is_missing(resource, metric.public_name, begin)
                ]
                if points:
                    labels = {self.label: resource, **series.groupby}
                    yield dataclasses.replace(series, groupby=labels, points=points)

    def _quantity(self, resource: str, name: str, begin: datetime.datetime) -> Decimal:
        return self.quantities.get((resource, name, (begin - hour(0)) // HOUR), Decimal(2))

    def _is_missing(self, resource: str, name: str, begin: datetime.datetime) -> bool:
        number = (begin - hour(0)) // HOUR
        return any(
            id_ in (None, resource) and metric == name and hour_ in (None, number)
            for id_, metric, hour_ in self.missing
        )


class ReprocessingBench:
    """A storage, and a reprocessor that tests run step by step."""

    def __init__(self, url: str) -> None:
        self.storage = open_storage(
            url, scope_key="project_id", fetcher="keystone", collector="gnocchi"
        )
        self.collector = IncompleteCollector()
        self.now = hour(100)
        self.reading: ClockReading | None = None
        self.settings = Settings(
            metrics=[metric("cpu"), metric("disk")],
            for_each_metric=call_in_turn,
            batch_seconds=30.0,
            batch_frames=10**6,
            backoff=Backoff(MINUTE, HOUR),
        )
        self.reprocessor = self.another()

    def another(
        self,
        modules: Sequence[RatingModule] | None = None,
        sharing: Sharing | None = None,
        collects: bool = True,
    ) -> Reprocessor:
        """Return a reprocessor like that of another process."""
        rater = self._rater([FakeModule(5)] if modules is None else modules)
        context = RunContext(lambda: self.now, lambda _: None, lambda: True, lambda: 0.0)
        repricer = Repricer(rater, self.storage.reports, lambda: hour(24))
        return Reprocessor(
            self.storage.task_ledger,
            rater,
            repricer,
            HOUR,
            sharing or AloneInOrder(),
            context,
            ClockCheck([lambda: self.reading], MINUTE),
            collects,
        )

    def repricer(self, modules: Sequence[RatingModule] | None = None) -> Repricer:
        """Return a repricer, which writes nothing."""
        rater = self._rater([FakeModule(5)] if modules is None else modules)
        return Repricer(rater, self.storage.reports, lambda: hour(24))

    def _rater(self, modules: Sequence[RatingModule]) -> Rater:
        return Rater(
            self.collector, modules, self.storage.ledger, self.storage.rules, self.settings
        )

    def rate(self, *scopes: str, count: int = COUNT, price: str = "1") -> None:
        """Rate everything that the collector returns, each usage at the same price."""
        states = list_scopes(self.storage, *scopes)
        series = [
            RatedSeries(usages, [Decimal(price)] * len(usages.points))
            for name in ("cpu", "disk")
            for usages in self.collector.collect(metric(name), window(count), scopes)
        ]
        work = batch(states, *series, periods=window(count), metrics=("cpu", "disk"))
        self.storage.ledger.commit(work)
        self.collector.calls.clear()

    def queue(self, *scopes: str, begin: int = 0, end: int = COUNT, **fields: object) -> list[int]:
        """Queue a task for each scope; ``fields`` replace fields of the orders."""
        orders = [
            Order(Scope(id_), hour(begin), hour(end), HOUR, TaskKind.COLLECT) for id_ in scopes
        ]
        orders = [dataclasses.replace(order, **fields) for order in orders]  # type: ignore[arg-type]
        return list(self.storage.tasks.add(orders, NOTE))

    def run_tasks(self, limit: int = 100) -> int:
        """Advance until there is nothing to do; return the number of batches."""
        return next(number for number in range(limit) if not self.reprocessor.advance())

    def outcomes(self, task: int) -> str:
        """Return the first two letters of the outcome of each period."""
        return "".join(record.outcome.value[:2] for record in self.storage.tasks.periods(task))

    def notes(self, task: int) -> list[str | None]:
        return [record.note for record in self.storage.tasks.periods(task)]
