"""Where the parts meet, and the loop that keeps them going."""

from __future__ import annotations

import datetime
import functools
import logging
from collections.abc import Callable
from typing import Any

from oslo_service import service

from ratekit import concurrency, errors, metrics_file, plugins
from ratekit.composition import build_calendar, build_storage
from ratekit.domain.batch import BatchSize
from ratekit.orchestrator import Clock, Orchestrator, Parts, Progress

LOG = logging.getLogger(__name__)

#: Seconds to wait past the instant at which a period becomes due, so that clocks that
#: differ a little agree that it is.
_MARGIN = 1.0


def now() -> datetime.datetime:
    """Return the present, aware, UTC."""
    return datetime.datetime.now(datetime.UTC)


def build(
    conf: Any, report: Callable[[Progress], None], stopping: Callable[[], bool], clock: Clock = now
) -> Orchestrator:
    """Return an orchestrator made of the parts that ``conf`` names; opens no connection.

    :raises ratekit.errors.OperatorError: something in the configuration cannot be used
    """
    calendar = build_calendar(conf)
    try:
        calendar.start(conf.collect.start, clock())
    except ValueError:
        raise errors.OperatorError(
            f"[collect] start: expected month, now or an ISO 8601 date, not {conf.collect.start!r}"
        ) from None
    fetcher = plugins.load(plugins.FETCHERS, conf.fetcher.backend).from_conf(conf)
    collector = plugins.load(plugins.COLLECTORS, conf.collect.collector).from_conf(conf)
    modules = [plugins.load(plugins.RATING, name).from_conf(conf) for name in conf.rating.modules]
    metrics = metrics_file.load(conf.collect.metrics_conf, collector)
    storage = build_storage(conf)
    return Orchestrator(
        Parts(
            fetcher=fetcher,
            collector=collector,
            modules=modules,
            ledger=storage.ledger,
            rules=storage.rules,
            metrics=metrics,
            side_by_side=functools.partial(
                concurrency.side_by_side, limit=conf.orchestrator.max_threads
            ),
            clock=clock,
            report=report,
            stopping=stopping,
        ),
        calendar,
        conf.collect.start,
        BatchSize(seconds=conf.orchestrator.batch_seconds, frames=conf.orchestrator.batch_frames),
        datetime.timedelta(seconds=conf.orchestrator.retry_seconds),
    )


class Processor(service.ServiceBase):  # type: ignore[misc]
    """The daemon: a pass whenever a period becomes due, until it is told to stop."""

    def __init__(self, conf: Any, report: Callable[[Progress], None], clock: Clock = now) -> None:
        self._stop = concurrency.StopEvent()
        self._clock = clock
        self._calendar = build_calendar(conf)
        self._retry = conf.orchestrator.retry_seconds
        self._orchestrator = build(conf, report, self._stop.is_set, clock)
        self._ended: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to rate in the background."""
        self._ended = concurrency.spawn(self.run)

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stop.set()

    def wait(self) -> None:
        """Return when the loop has ended."""
        self._ended()

    def reset(self) -> None:
        """Nothing is re-read on SIGHUP yet."""

    def run(self) -> None:
        """Rate what is due, wait for more, and so on."""
        while not self._stop.is_set():
            self._stop.wait(self._pass())

    def _pass(self) -> float:
        """Run one pass; seconds to wait before the next."""
        begun = self._clock()
        try:
            outcome = self._orchestrator.run_pass()
        except errors.TryLater as error:
            LOG.warning("nothing was rated, trying again in %g s: %s", self._retry, error)
            return float(self._retry)
        except errors.OperatorError as error:
            LOG.error("nothing was rated, trying again in %g s: %s", self._retry, error)
            return float(self._retry)
        except Exception:
            LOG.exception("a pass failed in a way nobody planned for")
            return float(self._retry)
        ended = self._clock()
        if self._calendar.due_until(ended) > self._calendar.due_until(begun):
            return 0.0  # a long catch-up: more has become due meanwhile
        pause = (self._calendar.next_due(ended) - ended).total_seconds() + _MARGIN
        return min(pause, self._retry) if outcome.failed else pause
