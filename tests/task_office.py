"""Tasks without a cloud: a back end whose data can go, and a reprocessor that is run by hand."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.partition import Partition
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.interfaces import RatingModule
from ratekit.processing.cycle import RunContext
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.repricer import Repricer
from ratekit.processing.reprocessor import Reprocessor
from ratekit.storage.sql import open_storage
from tests.contract.given import HOUR, batch, hour, listed, window
from tests.fakes import Asked, FakeCollector, FakeModule

NOTE = TaskNote("prices were wrong", "ann@example", hour(99))
MINUTE = datetime.timedelta(minutes=1)
COUNT = 6


def metric(name: str) -> Metric:
    """Return a metric that asks for nothing special."""
    return Metric(name, name, "u", Fraction(1), Fraction(0), (), (), Mutate.NONE, None)


def one_after_the_other(function: object, metrics: Sequence[Metric]) -> list[list[Series]]:
    """Collect without green threads."""
    return [function(one) for one in metrics]  # type: ignore[operator]


class Archive(FakeCollector):
    """A back end whose data can go.

    :ivar gone: what scopes do not use any more: (resource, metric, hour); None: all of them
    :ivar kept_since: asked for what was before, it says that it has forgotten
    :ivar waits: why rating should wait
    """

    resources: Sequence[str] = ("r1", "r2")

    def __init__(self) -> None:
        super().__init__()
        self.label = "id"
        self.gone: set[tuple[str | None, str, int | None]] = set()
        self.kept_since = hour(0)
        self.waits: str | None = None
        self.failures.append(self._forgotten)

    def _forgotten(self, asked: Asked) -> Exception | None:
        if asked.window.begin >= self.kept_since:
            return None
        return errors.Expired("the archive keeps too little", "keep more")

    def not_ready(self) -> str | None:
        return self.waits

    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        for one in super().collect(metric, window, scopes):
            for resource in self.resources:
                points = [
                    (begin, Decimal(2))
                    for begin in window.begins()
                    if not self._is_gone(resource, metric.public_name, begin)
                ]
                if points:
                    labels = {self.label: resource, **one.groupby}
                    yield dataclasses.replace(one, groupby=labels, points=points)

    def _is_gone(self, resource: str, name: str, begin: datetime.datetime) -> bool:
        number = (begin - hour(0)) // HOUR
        return any(
            (one in (None, resource)) and what == name and when in (None, number)
            for one, what, when in self.gone
        )


class Office:
    """A storage with rated hours, and a reprocessor that is run by hand."""

    def __init__(self, url: str) -> None:
        self.storage = open_storage(
            url, scope_key="project_id", fetcher="keystone", collector="gnocchi"
        )
        self.collector = Archive()
        self.now = hour(100)
        self.settings = Settings(
            metrics=[metric("cpu"), metric("disk")],
            for_each_metric=one_after_the_other,
            batch_seconds=30.0,
            batch_frames=10**6,
            backoff=Backoff(MINUTE, HOUR),
        )
        self.reprocessor = self.another()

    def another(
        self,
        modules: Sequence[RatingModule] | None = None,
        share: Partition | None = None,
        collects: bool = True,
    ) -> Reprocessor:
        """Return a reprocessor as another process has it."""
        rater = self._rater([FakeModule(5)] if modules is None else modules)
        context = RunContext(lambda: self.now, lambda _: None, lambda: True, lambda: 0.0)
        repricer = Repricer(rater, self.storage.reports)
        return Reprocessor(
            self.storage.task_ledger, rater, repricer, HOUR, share or Partition(), context, collects
        )

    def repricer(self) -> Repricer:
        """Return what prices anew and writes nothing."""
        return Repricer(self._rater([FakeModule(5)]), self.storage.reports)

    def _rater(self, modules: Sequence[RatingModule]) -> Rater:
        return Rater(
            self.collector, modules, self.storage.ledger, self.storage.rules, self.settings
        )

    def rate(self, *scopes: str, count: int = COUNT, price: str = "1") -> None:
        """Rate all that the collector has, each usage at the same price."""
        states = listed(self.storage, *scopes)
        series = [
            RatedSeries(one, [Decimal(price)] * len(one.points))
            for name in ("cpu", "disk")
            for one in self.collector.collect(metric(name), window(count), scopes)
        ]
        work = batch(states, *series, periods=window(count), metrics=("cpu", "disk"))
        self.storage.ledger.commit(work)
        self.collector.asked.clear()

    def queue(self, *scopes: str, begin: int = 0, end: int = COUNT, **changed: object) -> list[int]:
        """Queue a task a scope."""
        orders = [
            Order(Scope(one), hour(begin), hour(end), HOUR, TaskKind.COLLECT) for one in scopes
        ]
        wanted = [dataclasses.replace(one, **changed) for one in orders]  # type: ignore[arg-type]
        return list(self.storage.tasks.add(wanted, NOTE))

    def work(self, most: int = 100) -> int:
        """Advance until nothing is to be done; return how many batches that took."""
        return next(number for number in range(most) if not self.reprocessor.advance())

    def outcomes(self, task: int) -> str:
        """Return one letter a period: the first of its outcome."""
        return "".join(one.outcome.value[:2] for one in self.storage.tasks.periods(task))

    def notes(self, task: int) -> list[str | None]:
        return [one.note for one in self.storage.tasks.periods(task)]
