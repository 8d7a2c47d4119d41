"""Every plug-in point of ratekit on one page.

A driver is a class whose ``from_conf`` receives the loaded configuration and keeps plain
values. It is found by its name in a stevedore namespace (``ratekit.fetchers``,
``ratekit.collectors``, ``ratekit.rating``, ``ratekit.storage``); what a storage does is in
``storage.py``.
"""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from ratekit.domain.period import Window
from ratekit.domain.reporting.excluded import Exclusion
from ratekit.domain.reporting.findings import Finding
from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.scope import Scope
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.trace import TraceStep


class Fetcher(abc.ABC):
    """Lists the scopes to rate."""

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @abc.abstractmethod
    def scopes(self) -> Collection[Scope]:
        """Return every scope that is to be rated now, each once, in any order.

        Who is missing is not rated any more, so a back end that cannot answer, or only in
        part, must raise. An empty answer is taken for a mistake.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused, and will again
        """


class Collector(abc.ABC):
    """Reads usage from one metering back end.

    A collector may hold connections, never results, so that any worker may ask anything,
    in any order, and twice. What it can do beyond the three methods below it offers by the
    protocols of this page: :class:`Readiness`, :class:`ExclusionReport`,
    :class:`MetricDescription`, :class:`MetricInspection`, :class:`QuantityTrace` and
    :class:`OfflineCollector`.

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
        """Return what in ``metric.extra_args`` cannot work here: key -> what is expected."""

    @abc.abstractmethod
    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        """Yield what ``scopes`` used of ``metric`` over ``window``.

        One series per scope and distinct labels, in no particular order, quantities in
        ``metric.unit``. A scope that used nothing is absent: silence means zero, so a back
        end that cannot answer must raise.

        :raises ratekit.errors.TryLater: the back end did not answer, or not all of it
        :raises ratekit.errors.Expired: it has forgotten a part of the answer
        :raises ratekit.errors.OperatorError: it cannot answer this, ever
        """


@runtime_checkable
class OfflineCollector(Protocol):
    """A collector that validates and describes metrics without credentials."""

    @classmethod
    def offline(cls, conf: Any) -> Collector:
        """Build one that opens no connection and cannot collect."""


@runtime_checkable
class Readiness(Protocol):
    """A collector whose back end may be about to know more about the periods that are due."""

    def not_ready(self) -> str | None:
        """Return why rating should wait now, or None; called once a cycle.

        The collector limits the wait itself: from some time on it returns None.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused to answer
        """


@runtime_checkable
class ExclusionReport(Protocol):
    """A collector that leaves single resources out so that the others can be rated."""

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return what was left out of ``scopes``' usage.

        Called after :meth:`Collector.collect` with the same arguments; no network. Each
        exclusion is logged when it is new.
        """


@runtime_checkable
class MetricDescription(Protocol):
    """A collector that says what it reads for a metric."""

    def describe(self, metric: Metric) -> Mapping[str, str]:
        """Return the settings in force, in words that metrics.yml uses; no network."""


@runtime_checkable
class MetricInspection(Protocol):
    """A collector that looks at what its back end has of a metric."""

    def inspect(self, metric: Metric) -> Sequence[Finding]:
        """Return findings, good and bad; none: there is nothing to report.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused
        """


@runtime_checkable
class QuantityTrace(Protocol):
    """A collector that explains how it computes its quantities."""

    def trace(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[TraceStep]:
        """Yield the steps from which :meth:`Collector.collect` computes its quantities.

        The steps of one scope, one set of labels and one period add up to that quantity.

        :raises: as :meth:`Collector.collect`
        """


class Pricer(Protocol):
    """Prices series by rules that were compiled before; pure."""

    def __call__(self, series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return one price a point.

        :param prices: what the modules before charged, in the order of ``series.points``
        """


class RatingModule(abc.ABC):
    """Turns rules into prices: no network, no database, no clock."""

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @abc.abstractmethod
    def compile(self, book: RuleBook) -> Pricer:
        """Return what prices by ``book``; called when the book's version changed."""

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation | None:
        """Return how a price comes about that is what :meth:`compile`'s pricer returns.

        For people who look at a few: it may take as long as compiling.

        :param series: with one point
        :param before: what the modules before charged for it
        :returns: None: it cannot tell
        """
        return None
