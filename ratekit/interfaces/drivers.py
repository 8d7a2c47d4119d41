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
from typing import Any, ClassVar, Protocol, Self

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
    in any order, and twice.

    :cvar extra_args: dataclass of the settings a metric has under ``extra_args``;
        metrics.yml is validated against its annotations
    """

    extra_args: ClassVar[type[Any]]

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from a loaded ``oslo_config.cfg.ConfigOpts``."""

    @classmethod
    def offline(cls, conf: Any) -> Self:
        """Build one that judges and describes metrics only: it needs no credentials."""
        return cls.from_conf(conf)

    @abc.abstractmethod
    def refusals(self, metric: Metric) -> Mapping[str, str]:
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

    def hold(self) -> str | None:
        """Return why rating should wait now, or None; asked once a cycle.

        A back end that is about to know more about the periods that are due holds them, but
        not for ever: it says itself when it is enough.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it does not tell
        """
        return None

    def excluded(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return what was left out of ``scopes``' usage so that the rest could be rated.

        Asked after :meth:`collect` with the same arguments; no network. Each was said in
        the log when it was first left out.
        """
        return ()

    def reads(self, metric: Metric) -> Mapping[str, str]:
        """Return what is read for ``metric``, in words that metrics.yml uses; no network."""
        return {}

    def inspect(self, metric: Metric) -> Sequence[Finding]:
        """Return what the back end has of ``metric``, well or not; nothing: it does not tell.

        :raises ratekit.errors.TryLater: the back end did not answer
        :raises ratekit.errors.OperatorError: it refused
        """
        return ()

    def trace(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Iterator[TraceStep] | None:
        """Yield how :meth:`collect` comes to its quantities; None: it cannot tell.

        The steps of one scope, one set of labels and one period add up to that quantity.

        :raises: as :meth:`collect`
        """
        return None


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
