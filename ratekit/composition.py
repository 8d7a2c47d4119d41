"""The one place where parts meet."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ratekit import errors, interfaces, metrics_file, plugins
from ratekit.domain.batch import BatchSize
from ratekit.domain.due import Calendar
from ratekit.domain.metric import Metric
from ratekit.domain.series import Series
from ratekit.orchestrator import Clock, Orchestrator, Parts, Progress


class SideBySide(Protocol):
    """Calls a function with each metric, some at the same time; results in order."""

    def __call__(
        self, function: Callable[[Metric], list[Series]], items: Sequence[Metric], limit: int
    ) -> list[list[Series]]:
        """Call at most ``limit`` at a time."""


def build(
    conf: Any,
    side_by_side: SideBySide,
    report: Callable[[Progress], None],
    stopping: Callable[[], bool],
    clock: Clock,
) -> Orchestrator:
    """Return an orchestrator made of the parts that ``conf`` names; opens no connection.

    :param side_by_side: calls a function with each item, at most ``limit`` at a time
    :raises ratekit.errors.OperatorError: something in the configuration cannot be used
    """
    calendar = build_calendar(conf)
    start = _start(conf, calendar, clock)
    fetcher = plugins.load(plugins.FETCHERS, conf.fetcher.backend).from_conf(conf)
    collector = plugins.load(plugins.COLLECTORS, conf.collect.collector).from_conf(conf)
    modules = [plugins.load(plugins.RATING, name).from_conf(conf) for name in conf.rating.modules]
    metrics = metrics_file.load(conf.collect.metrics_conf, collector)
    storage = build_storage(conf)
    parts = Parts(
        fetcher=fetcher,
        collector=collector,
        modules=modules,
        ledger=storage.ledger,
        rules=storage.rules,
        metrics=metrics,
        side_by_side=functools.partial(side_by_side, limit=conf.orchestrator.max_threads),
        clock=clock,
        report=report,
        stopping=stopping,
    )
    size = BatchSize(seconds=conf.orchestrator.batch_seconds, frames=conf.orchestrator.batch_frames)
    retry = datetime.timedelta(seconds=conf.orchestrator.retry_seconds)
    return Orchestrator(parts, calendar, start, size, retry)


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
