"""Every plug-in point of ratekit on one page.

A plug-in is a class whose ``from_conf`` receives the loaded configuration and keeps plain
values. ratekit finds it by its name in a stevedore namespace: ``ratekit.fetchers``,
``ratekit.collectors`` or ``ratekit.rating``. One entry point in the ``setup.cfg`` of any
installed package adds one.

A plug-in with options of its own offers :class:`Configurable` as well, and
:class:`ConfCheck` and :class:`KeystoneClient` where it needs them.
"""

from __future__ import annotations

import abc
import datetime
import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.findings import Finding
from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.scope import Scope
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.resource_part import ResourcePart
from ratekit.domain.usage.trace import TraceStep


@runtime_checkable
class Configurable(Protocol):
    """A plug-in class that has options of its own.

    Their values are checked before ``from_conf`` is called, each by its type and bounds; every
    mistake is reported with its file and line.
    """

    @classmethod
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return ``oslo_config.cfg`` options by section.

        Call a section by the kind and the name of the plug-in, such as ``collector_NAME``.
        """


@runtime_checkable
class ConfCheck(Protocol):
    """A plug-in class that checks whether its options fit together."""

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Yield (section, option, what is expected) for each mistake.

        Called when each value is valid by itself; opens no connection.
        """


@runtime_checkable
class KeystoneClient(Protocol):
    """A plug-in class that authenticates with the options of ``ratekit.keystone``."""

    @classmethod
    def credential_sections(cls, conf: Any) -> Sequence[str]:
        """Return the sections whose credentials it will use, for them to be checked first."""


class Fetcher(abc.ABC):
    """Lists the scopes to rate."""

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @abc.abstractmethod
    def scopes(self) -> Collection[Scope]:
        """Return every scope that is to be rated now, each once, in any order.

        A scope that is missing is no longer rated, so a fetcher whose back end does not
        answer completely must raise. If the list is empty, ratekit assumes a misconfiguration.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused, and will again
        """


class Collector(abc.ABC):
    """Reads usage from one metering back end.

    A collector may hold connections, never results, so that any worker may ask for
    anything, in any order and more than once. The methods below are required. The protocols
    on this page are optional: :class:`ClockSource`, :class:`Readiness`, :class:`ExclusionReport`,
    :class:`MetricDescription`, :class:`MetricInspection`, :class:`QuantityTrace`,
    :class:`DivisibleUsage`, :class:`ResponseSize` and :class:`OfflineCollector`.

    :cvar extra_args: dataclass of the settings a metric has under ``extra_args``;
        metrics.yml is validated against its annotations
    """

    extra_args: ClassVar[type[Any]]

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @abc.abstractmethod
    def validate(self, metric: Metric) -> Mapping[str, str]:
        """Return what is expected by key of ``metric.extra_args``, for keys that cannot work."""

    @abc.abstractmethod
    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        """Yield what ``scopes`` used of ``metric`` over ``window``.

        One series per scope and distinct labels, in no particular order, quantities in
        ``metric.unit``. A scope that used nothing is absent: absence means zero, so a
        collector whose back end does not answer completely must raise. If
        ``[collect] allow_expired`` is set, it yields what is left of expired data instead.

        :param records_until: records about resources count that were made before this instant,
            as when usage is collected again; None: for each period those that were made before
            it became due, so that the result does not depend on when it is rated
        :raises ratekit.errors.TryLater: the back end did not answer, or not completely
        :raises ratekit.errors.Expired: a part of the data has expired
        :raises ratekit.errors.OperatorError: the back end will never answer this
        """


@runtime_checkable
class DivisibleUsage(Protocol):
    """A collector that reads a scope's usage in parts, each of some of its resources.

    Without it, a scope whose usage of one period is too much for one request is not rated.
    """

    def collect_part(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None,
        part: ResourcePart,
    ) -> Iterator[Series]:
        """Yield the usage of the resources in one part; as :meth:`Collector.collect`.

        :class:`ExclusionReport` then tells what was excluded of this part.
        """

    def labels_tell_resources(self, metric: Metric) -> bool:
        """Return whether series of different resources always have different labels.

        Otherwise those of different parts are added up where their labels are equal.
        """


@runtime_checkable
class ResponseSize(Protocol):
    """A collector that limits how much it reads at once."""

    def take_response_share(self) -> float:
        """Return how much of its limit the largest response since the last call took, 0 to 1.

        Batches stay so small that about half of the limit is enough.
        """


@runtime_checkable
class OfflineCollector(Protocol):
    """A collector that validates and describes metrics without credentials."""

    @classmethod
    def offline(cls, conf: Any) -> Collector:
        """Build one that opens no connection and cannot collect."""


@runtime_checkable
class ClockSource(Protocol):
    """A fetcher, collector or ledger whose back end has a clock of its own.

    ratekit compares all clocks, because a wrong one would decide for good what is due.
    """

    def read_clock(self) -> ClockReading | None:
        """Ask the back end for its time now, by one cheap request; called before each cycle.

        :returns: None if the back end does not show its time
        :raises ratekit.errors.TryLater: the back end did not answer; nothing is rated
        :raises ratekit.errors.OperatorError: it refused
        """


@runtime_checkable
class Readiness(Protocol):
    """A collector whose back end may still be processing data of the periods that are due."""

    def not_ready(self) -> str | None:
        """Return why rating should wait, or None; called once a cycle.

        The collector limits the wait itself: after some time it returns None.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused to answer
        """


@runtime_checkable
class ExclusionReport(Protocol):
    """A collector that excludes single resources so that the others can be rated."""

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return what was excluded from the usage of ``scopes``.

        Called after :meth:`Collector.collect` with the same arguments; opens no connection.
        Each exclusion is logged when it is new.
        """


@runtime_checkable
class MetricDescription(Protocol):
    """A collector that describes what it reads for a metric."""

    def describe(self, metric: Metric) -> Mapping[str, str]:
        """Return the settings in force, in the words of metrics.yml; opens no connection."""


@runtime_checkable
class MetricInspection(Protocol):
    """A collector that inspects what its back end stores of a metric."""

    def inspect(self, metric: Metric) -> Sequence[Finding]:
        """Return findings, good and bad; none if there is nothing to report.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused
        """


@runtime_checkable
class QuantityTrace(Protocol):
    """A collector that explains how it computes its quantities."""

    def trace(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[TraceStep]:
        """Yield the steps from which :meth:`Collector.collect` computes its quantities.

        The steps of one scope, one set of labels and one period add up to that quantity.

        :param records_until: as for :meth:`Collector.collect`
        :raises: as :meth:`Collector.collect`
        """


class Pricer(Protocol):
    """Prices series by compiled rules; a pure function."""

    def __call__(self, series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return one price for each point.

        :param prices: the earlier modules' prices, in the order of ``series.points``
        """


class PriceSource(enum.Enum):
    """Where the prices of a rating module come from."""

    RULES = "the price rules alone: without any, all usage is free"
    OWN = "the module itself: it charges usage without any rule"
    NONE = "other modules: it changes their prices, or nothing"


class RatingModule(abc.ABC):
    """Turns rules into prices: no network, no database, no clock.

    It compiles the hashmap's rule book and does not read rules of its own: a commit proves by
    the book's version that no rule has changed since, and ``explain``, ``quote`` and
    ``hashmap plan`` price by books that are only in memory.

    :cvar price_source: where its prices come from. If all come from rules, and there has never
        been one, ratekit does not rate until there are some
    """

    price_source: ClassVar[PriceSource] = PriceSource.OWN

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @abc.abstractmethod
    def compile(self, book: RuleBook) -> Pricer:
        """Return a pricer for ``book``; called when the book's version has changed."""

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation | None:
        """Return how :meth:`compile`'s pricer computes its price.

        Called for single prices; it may take as long as compiling.

        :param series: with one point
        :param before: the earlier modules' price for it
        :returns: None if the module cannot explain it
        """
        return None
