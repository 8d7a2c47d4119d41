"""What operators and tenants ask the storage for."""

from __future__ import annotations

import abc
import contextlib
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.reporting.coverage import CoverageFacts, RatedSpan
from ratekit.domain.reporting.reports import (
    EVERYTHING,
    AllScopes,
    FrameRow,
    Page,
    Selection,
    StateRow,
    SummaryPage,
    SummaryRow,
)


class Reports(abc.ABC):
    """Reads what operators and tenants ask for; writes nothing. Each call sees one snapshot.

    :raises ratekit.errors.TooSlow: a statement took longer than the storage was opened for
    :raises ratekit.errors.TryLater: the database did not answer
    """

    @abc.abstractmethod
    def snapshot(self) -> contextlib.AbstractContextManager[Reports]:
        """Return reports that all see the same snapshot, until the context ends.

        They share a connection: exhaust what one yields before you ask for the next, and end the
        context after an error. Ask no other part of the storage inside, as it would need another
        connection, which others that do the same may hold.
        """

    @abc.abstractmethod
    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        """Return scopes, ordered by name and id.

        :param ids: only these; those that do not exist are left out. No default: whoever asks
            says whose scopes may be seen
        """

    @abc.abstractmethod
    def summary(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page = EVERYTHING,
    ) -> Iterator[SummaryRow]:
        """Yield exact sums, one row for each group, ordered by group.

        Without labels in ``groupby`` no more than a part of the rows is in memory, and a page
        costs no more than all rows.

        :param groupby: any of ``scope``, ``metric``, ``period``, ``hour``, ``day``, ``week``,
            ``month``, ``year``, and labels
        :param zone: time zone of all times but periods; weeks start on Monday
        """

    @abc.abstractmethod
    def summary_page(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page,
        max_groups: int | None = None,
    ) -> SummaryPage:
        """Return a page of :meth:`summary`, how many rows it has without one, and how far it goes.

        :param max_groups: most groups that may be in memory, of which pages are cut where
            ``groupby`` has labels; None: any number
        :raises ratekit.errors.TooManyGroups: there are more
        """

    @abc.abstractmethod
    def prices(
        self,
        begin: datetime.datetime,
        end: datetime.datetime,
        scopes: AllScopes | frozenset[str],
        metric: str | None = None,
    ) -> Mapping[str, Decimal]:
        """Return the exact price of the usage of each scope in ``[begin, end)``, by its id.

        It costs half of what :meth:`summary` does. Scopes without usage are left out.

        :param begin: UTC
        :param end: compared with a period's begin, UTC
        :param metric: only usage of this one; None: all usage
        """

    @abc.abstractmethod
    def labels(self) -> Mapping[str, Collection[str]]:
        """Return the labels of each metric that was ever rated, by public name."""

    @abc.abstractmethod
    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        """Yield frames, ordered by begin, scope, metric, labels and unit.

        No two frames are equal in all of these.
        """

    @abc.abstractmethod
    def count_frames(self, selection: Selection) -> int:
        """Return the number of rows of :meth:`frames` without a page."""

    @abc.abstractmethod
    def newest_usage(
        self, metrics: Collection[str], scopes: AllScopes | frozenset[str]
    ) -> Iterator[FrameRow]:
        """Yield the frames of the newest period in which each scope used each metric.

        Usage of a metric counts for one or two days before the time until which its scope is
        rated; for a week more if none of the scopes has used the metric since. Scopes that are no
        longer rated are left out a day after the last period of any scope.

        :param metrics: public names
        :param scopes: only of these
        """

    @abc.abstractmethod
    def rated_spans(
        self, scopes: frozenset[str], begin: datetime.datetime, end: datetime.datetime
    ) -> Mapping[str, RatedSpan]:
        """Return from when to when scopes are rated, by id, with their gaps in ``[begin, end)``.

        :param scopes: those that do not exist are left out
        """

    @abc.abstractmethod
    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        """Return the input of :func:`ratekit.domain.reporting.coverage.cells`.

        It covers periods that begin in ``[begin, end)``.

        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.TryLater: the database did not answer
        """
