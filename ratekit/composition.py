"""The one place where parts meet."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from ratekit import errors, interfaces, plugins
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.share import Partition
from ratekit.domain.scope import Scope
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file, skip_expression
from ratekit.processing.cycle import Clock, RunContext
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.repricer import Repricer
from ratekit.processing.reprocessor import Reprocessor

A = TypeVar("A")
R = TypeVar("R")


class SideBySide(Protocol):
    """Calls a function with each item, some at the same time; results in order."""

    def __call__(
        self,
        function: Callable[[A], R],
        items: Collection[A],
        limit: int,
        seconds: float,
        what: str,
    ) -> list[R]:
        """Call at most ``limit`` at a time, for at most ``seconds`` in all.

        :param what: who is asked, for the message when it takes longer
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a processor is made of.

    :ivar orchestrator: rates what is due
    :ivar tasks: carries out what operators have queued, with the same settings
    """

    orchestrator: Orchestrator
    tasks: Reprocessor


def build(
    conf: Any,
    storage: interfaces.Storage,
    context: RunContext,
    side_by_side: SideBySide,
    share: Partition | None = None,
    collects: bool = True,
) -> Parts:
    """Return what ``conf`` names, put together; opens no connection.

    :param share: which scopes are rated; all by default
    :param collects: take on tasks that collect
    :raises ratekit.errors.OperatorError: something in the configuration cannot be used
    """
    calendar = build_calendar(conf)
    start = _start(conf, calendar, context.clock)
    fetcher = build_fetcher(conf)

    def listed() -> Collection[Scope]:
        # An answer may drip for ever although no single read takes long.
        seconds = conf.orchestrator.batch_timeout
        return side_by_side(_listed, [fetcher], limit=1, seconds=seconds, what="the fetcher")[0]

    rater = build_rater(conf, storage, side_by_side)
    mine = share or Partition()
    repricer = Repricer(rater, storage.reports)
    return Parts(
        Orchestrator(listed, storage.ledger, rater, calendar, start, mine, context),
        Reprocessor(storage.task_ledger, rater, repricer, calendar.step, mine, context, collects),
    )


def build_rater(
    conf: Any, storage: interfaces.Storage, side_by_side: SideBySide, offline: bool = False
) -> Rater:
    """Return what collects and prices.

    :param offline: it is to price stored usage only, which needs no credentials
    :raises ratekit.errors.OperatorError: something in the configuration cannot be used
    """
    return Rater(
        collector=build_collector(conf, offline),
        modules=build_modules(conf),
        ledger=storage.ledger,
        rules=storage.rules,
        settings=read_settings(conf, side_by_side, offline),
    )


def read_settings(conf: Any, side_by_side: SideBySide, offline: bool = False) -> Settings:
    """Return what may change while a daemon runs; reads metrics.yml.

    :param offline: nothing is to be collected, which needs no credentials
    :raises ratekit.errors.OperatorError: it cannot be used
    """
    section = conf.orchestrator
    return Settings(
        metrics=_metrics(conf, offline),
        side_by_side=functools.partial(
            side_by_side,
            limit=section.max_threads,
            seconds=section.batch_timeout,
            what="the collector",
        ),
        batch_seconds=section.batch_seconds,
        batch_frames=section.batch_frames,
        backoff=build_backoff(conf),
    )


def _metrics(conf: Any, offline: bool) -> Sequence[Metric]:
    metrics = metrics_file.load(conf.collect.metrics_conf, build_collector(conf, offline))
    try:
        return skip_expression.by_default(metrics, conf.orchestrator.skip_datapoints_expression)
    except ValueError as error:
        raise errors.OperatorError(f"[orchestrator] skip_datapoints_expression: {error}") from None


def build_backoff(conf: Any) -> Backoff:
    """Return how long what failed rests: never longer than a period."""
    section = conf.orchestrator
    longest = min(section.max_retry_seconds, conf.collect.period)
    return Backoff(
        first=datetime.timedelta(seconds=min(section.retry_seconds, longest)),
        longest=datetime.timedelta(seconds=longest),
    )


def build_storage(conf: Any) -> interfaces.Storage:
    """Return the storage that ``conf`` names.

    :raises ratekit.errors.OperatorError: it is unknown, or the database is not ready
    """
    driver = plugins.load(plugins.STORAGE, conf.storage.backend)
    storage = driver.from_conf(conf)
    if not isinstance(storage, interfaces.Storage):
        raise errors.OperatorError(f"the storage plug-in returned {storage!r}")
    return storage


def build_calendar(conf: Any) -> Calendar:
    """Return the grid of periods that ``conf`` names."""
    return Calendar(datetime.timedelta(seconds=conf.collect.period), conf.collect.wait_periods)


def build_fetcher(conf: Any) -> interfaces.Fetcher:
    """Return the fetcher that ``conf`` names; opens no connection.

    :raises ratekit.errors.OperatorError: it is unknown, or lacks credentials
    """
    driver = plugins.load(plugins.FETCHERS, conf.fetcher.backend)
    fetcher: interfaces.Fetcher = driver.from_conf(conf)
    return fetcher


def build_collector(conf: Any, offline: bool = False) -> interfaces.Collector:
    """Return the collector that ``conf`` names; opens no connection.

    :param offline: it is to judge and describe metrics only, which needs no credentials
    :raises ratekit.errors.OperatorError: it is unknown, or lacks credentials
    """
    driver = plugins.load(plugins.COLLECTORS, conf.collect.collector)
    build = driver.offline if offline and hasattr(driver, "offline") else driver.from_conf
    collector: interfaces.Collector = build(conf)
    return collector


def build_modules(conf: Any) -> Sequence[interfaces.RatingModule]:
    """Return the rating modules that ``conf`` names, highest priority first.

    :raises ratekit.errors.OperatorError: one is unknown
    """
    return [plugins.load(plugins.RATING, name).from_conf(conf) for name in conf.rating.modules]


def _listed(fetcher: interfaces.Fetcher) -> Collection[Scope]:
    return fetcher.scopes()


def _start(conf: Any, calendar: Calendar, clock: Clock) -> str:
    """Where new scopes start, tried once so that a mistake shows at once."""
    start = str(conf.collect.start)
    try:
        calendar.start(start, clock())
    except ValueError:
        raise errors.OperatorError(
            f"[collect] start: expected month, now or an ISO 8601 date, not {start!r}"
        ) from None
    return start
