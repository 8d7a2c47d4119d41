"""Where the parts meet: each function builds one part from the configuration.

Only :func:`ratekit.storage.sql.build_storage` is elsewhere: commands that need no database start
faster without SQLAlchemy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from oslo_config import cfg

from ratekit import errors, interfaces, plugins
from ratekit.conf import collect
from ratekit.conf.checking import source, values
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.division import Alone, Sharing
from ratekit.domain.scope import Scope
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file, skip_expression
from ratekit.interfaces import PriceSource
from ratekit.pricing.price_list import PriceList
from ratekit.processing.clock_check import ClockCheck
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.repricer import Repricer
from ratekit.processing.reprocessor import Reprocessor
from ratekit.processing.run_context import Clock, RunContext

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
        description: str,
    ) -> list[R]:
        """Call at most ``limit`` at the same time, for at most ``seconds`` in total.

        :param description: who does the work, for the message when it takes longer
        """


class Within(Protocol):
    """Calls a function, for a limited time."""

    def __call__(self, seconds: float, description: str, function: Callable[[], R]) -> R:
        """Call ``function`` for at most ``seconds``.

        :param description: who does the work, for the message when it takes longer
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a processor.

    :ivar orchestrator: rates the periods that are due
    :ivar tasks: carries out queued tasks, with the same settings
    """

    orchestrator: Orchestrator
    tasks: Reprocessor


def build_processor(
    conf: Any,
    storage: interfaces.Storage,
    context: RunContext,
    side_by_side: SideBySide,
    within: Within,
    sharing: Sharing | None = None,
    leads: bool = True,
) -> Parts:
    """Return the parts that ``conf`` names, put together; opens no connection.

    Tasks that collect are not carried out with ``[collect] allow_expired``: what is left of
    expired data must not replace complete frames.

    :param sharing: which scopes are rated; all by default
    :param leads: log what is true of all processes that share the scopes
    :raises ratekit.errors.OperatorError: the configuration cannot be used
    """
    calendar = collect.build_calendar(conf)
    start = _read_start(conf, calendar, context.clock)
    fetcher = build_fetcher(conf)

    def list_scopes() -> Collection[Scope]:
        # A response may arrive so slowly that no single read times out.
        seconds = conf.orchestrator.batch_timeout
        return within(seconds, "the fetcher", fetcher.scopes)

    rater = build_rater(conf, storage, side_by_side)
    clocks = _build_clock_check(conf, fetcher, rater, storage.ledger, within)
    sharing = sharing or Alone(str(context.chance()))
    repricer = Repricer(rater, storage.reports, context.clock, context.require_continue)
    collects = not conf.collect.allow_expired
    return Parts(
        Orchestrator(
            list_scopes, storage.ledger, rater, calendar, start, sharing, context, clocks, leads
        ),
        Reprocessor(
            storage.task_ledger,
            rater,
            repricer,
            calendar.step,
            sharing,
            context,
            clocks,
            collects,
        ),
    )


def require_right_clock(conf: Any, ledger: interfaces.Ledger, now: datetime.datetime) -> None:
    """Require that this host's clock agrees with the database server's, if there is a server.

    For commands that write times without asking any other service.

    :param now: the time by this host's clock
    :raises ratekit.errors.ClockSkew: it does not
    :raises ratekit.errors.TryLater: the database did not answer
    """
    if isinstance(ledger, interfaces.ClockSource):
        limit = datetime.timedelta(seconds=conf.orchestrator.max_clock_skew)
        failure = ClockCheck([ledger.read_clock], limit).compare(now).failure
        if failure is not None:
            raise failure


def _build_clock_check(
    conf: Any,
    fetcher: interfaces.Fetcher,
    rater: Rater,
    ledger: interfaces.Ledger,
    within: Within,
) -> ClockCheck:
    """Return what compares this host's clock with those of all back ends that have one."""
    readers = [("the collector", rater.read_clock)]
    if isinstance(fetcher, interfaces.ClockSource):
        # First: of several failures the first is reported, and scopes are listed before they
        # are collected.
        readers.insert(0, ("the fetcher", fetcher.read_clock))
    if isinstance(ledger, interfaces.ClockSource):
        readers.append(("the database", ledger.read_clock))
    section = conf.orchestrator
    return ClockCheck(
        [
            functools.partial(within, section.batch_timeout, description, read)
            for description, read in readers
        ],
        datetime.timedelta(seconds=section.max_clock_skew),
    )


def build_rater(
    conf: Any, storage: interfaces.Storage, side_by_side: SideBySide, offline: bool = False
) -> Rater:
    """Return the part that collects and prices.

    :param offline: it will only price stored usage, which needs no credentials
    :raises ratekit.errors.OperatorError: the configuration cannot be used
    """
    return Rater(
        collector=build_collector(conf, offline),
        modules=build_modules(conf),
        ledger=storage.ledger,
        rules=storage.rules,
        settings=read_settings(conf, side_by_side, offline),
    )


def build_repricer(
    conf: Any,
    storage: interfaces.Storage,
    side_by_side: SideBySide,
    clock: Callable[[], datetime.datetime],
    offline: bool = False,
) -> Repricer:
    """Return the part that prices again what was rated.

    :param clock: returns the current time, aware, UTC
    :param offline: as for :func:`build_rater`
    :raises ratekit.errors.OperatorError: the configuration cannot be used
    """
    rater = build_rater(conf, storage, side_by_side, offline)
    return Repricer(rater, storage.reports, clock)


def read_settings(conf: Any, side_by_side: SideBySide, offline: bool = False) -> Settings:
    """Return the settings that may change while a daemon runs; reads metrics.yml.

    :param offline: nothing will be collected, which needs no credentials
    :raises ratekit.errors.OperatorError: a setting cannot be used
    """
    section = conf.orchestrator
    return Settings(
        metrics=_read_metrics(conf, offline),
        for_each_metric=functools.partial(
            side_by_side,
            limit=section.max_threads,
            seconds=section.batch_timeout,
            description="the collector",
        ),
        batch_seconds=section.batch_seconds,
        batch_frames=section.batch_frames,
        backoff=build_backoff(conf),
        requires_rules=requires_rules(conf),
    )


def requires_rules(conf: Any) -> bool:
    """Tell whether usage must not be rated while there has never been a price rule.

    :raises ratekit.errors.OperatorError: a rating module cannot be used
    """
    sources = {_load(conf, plugins.RATING, name).price_source for name in conf.rating.modules}
    only_rules = PriceSource.RULES in sources and PriceSource.OWN not in sources
    return only_rules and conf.rating.without_rules == "hold"


def _read_metrics(conf: Any, offline: bool) -> Sequence[Metric]:
    metrics = metrics_file.read(conf.collect.metrics_conf, build_collector(conf, offline))
    try:
        return skip_expression.apply_default(metrics, conf.orchestrator.skip_datapoints_expression)
    except ValueError as error:
        raise errors.OperatorError(f"[orchestrator] skip_datapoints_expression: {error}") from None


def build_backoff(conf: Any) -> Backoff:
    """Return how long to wait after a failure: never longer than a period."""
    section = conf.orchestrator
    longest = min(section.max_retry_seconds, conf.collect.period)
    return Backoff(
        first=datetime.timedelta(seconds=min(section.retry_seconds, longest)),
        longest=datetime.timedelta(seconds=longest),
    )


def _read_start(conf: Any, calendar: Calendar, clock: Clock) -> str:
    """Return where new scopes start; evaluated once, so that a mistake is found at once."""
    start = str(conf.collect.start)
    try:
        calendar.start(start, clock())
    except ValueError:
        raise errors.OperatorError(
            f"[collect] start: expected month, now or an ISO 8601 date, not {start!r}"
        ) from None
    return start


def load_plugins(conf: Any, content: source.Content) -> tuple[list[Any], list[errors.Mistake]]:
    """Load the plug-ins that ``conf`` names; register their options, unchecked.

    :param conf: a loaded ``ConfigOpts``
    :param content: the files from which it was loaded
    :returns: the classes, and a mistake for each name that cannot be used
    """
    classes: list[Any] = []
    mistakes: list[errors.Mistake] = []
    for namespace, (group, option) in plugins.OPTIONS.items():
        for name in _names(conf, group, option):
            try:
                plugin = plugins.load(namespace, name)
            except plugins.PluginError as error:
                mistakes.append(content.mistake(group, option, error.reason))
            else:
                plugins.register_options(conf, plugin)
                classes.append(plugin)
    return classes, mistakes


def _names(conf: Any, group: str, option: str) -> Sequence[str]:
    # A wrong value of the option is a mistake of its own.
    with contextlib.suppress(cfg.Error):
        value = conf[group][option]
        return [value] if isinstance(value, str) else list(dict.fromkeys(value))
    return ()


def _load(conf: Any, namespace: str, name: str) -> Any:
    """Return a plug-in's class; check its options, unless :func:`load_plugins` loaded it.

    Commands that do not rate load their configuration without plug-ins.
    """
    plugin = plugins.load(namespace, name)
    if plugins.register_options(conf, plugin):
        content = source.read_again(conf)
        values.require_none(values.find_plugin_mistakes(conf, content, plugin))
    return plugin


def build_fetcher(conf: Any) -> interfaces.Fetcher:
    """Return the fetcher that ``conf`` names; opens no connection.

    :raises ratekit.errors.OperatorError: it is unknown, or its options cannot be used
    """
    plugin = _load(conf, plugins.FETCHERS, conf.fetcher.backend)
    fetcher: interfaces.Fetcher = plugin.from_conf(conf)
    return fetcher


def build_collector(conf: Any, offline: bool = False) -> interfaces.Collector:
    """Return the collector that ``conf`` names; opens no connection.

    :param offline: it will only validate and describe metrics, which needs no credentials
    :raises ratekit.errors.OperatorError: it is unknown, or its options cannot be used
    """
    plugin = _load(conf, plugins.COLLECTORS, conf.collect.collector)
    collector: interfaces.Collector
    if offline and isinstance(plugin, interfaces.OfflineCollector):
        collector = plugin.offline(conf)
    else:
        collector = plugin.from_conf(conf)
    return collector


def build_modules(conf: Any) -> Sequence[interfaces.RatingModule]:
    """Return the rating modules that ``conf`` names, highest priority first.

    :raises ratekit.errors.OperatorError: one is unknown, or its options cannot be used
    """
    return [_load(conf, plugins.RATING, name).from_conf(conf) for name in conf.rating.modules]


def build_price_list(conf: Any, book: RuleBook) -> PriceList:
    """Return the prices by these rules.

    :raises ratekit.errors.OperatorError: a rating module cannot be used
    """
    return PriceList(build_modules(conf), book)


def read_metrics(
    conf: Any, path: str | None = None, offline: bool = False
) -> tuple[Sequence[Metric], interfaces.Collector]:
    """Return the metrics of a file, and the collector that they are for.

    :param path: default: ``[collect] metrics_conf``
    :param offline: the collector will only check and describe metrics, which needs no credentials
    :raises ratekit.errors.OperatorError: the file or the collector cannot be used
    """
    collector = build_collector(conf, offline)
    return metrics_file.read(path or conf.collect.metrics_conf, collector), collector
