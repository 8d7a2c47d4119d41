"""Reports over SQL; they only read."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa

from ratekit.domain.reporting.coverage import CoverageFacts, RatedSpan
from ratekit.domain.reporting.reports import (
    ALL_SCOPES,
    EVERYTHING,
    AllScopes,
    FrameRow,
    Page,
    Selection,
    StateRow,
    SummaryPage,
    SummaryRow,
)
from ratekit.interfaces import Reports
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.ledger.scope_lists import LAST_SEEN
from ratekit.storage.reports import coverage, newest_usage, scope_prices
from ratekit.storage.reports import selection as selecting
from ratekit.storage.reports.frame_pages import SelectedFrames
from ratekit.storage.reports.summary import GroupedSums
from ratekit.storage.schema import DESCRIPTORS, SCOPES


class SqlReports(Reports):
    """Reads states, totals and frames, each report in one snapshot.

    :param database: at the newest revision
    :param scope_key: only scopes of this key are reported
    :param statement_timeout: seconds that each statement may take; None: as long as any other
    :param connection: sees one snapshot, which all reports read; None: each reads its own
    """

    def __init__(
        self,
        database: Database,
        scope_key: str,
        statement_timeout: float | None = None,
        connection: sa.Connection | None = None,
    ) -> None:
        self._database = database
        self._scope_key = scope_key
        self._statement_timeout = statement_timeout
        self._connection = connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reports]:
        """Open a transaction that all reports read."""
        with self._reading() as connection:
            yield SqlReports(self._database, self._scope_key, self._statement_timeout, connection)

    def _reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        if self._connection is not None:
            return self._database.reading_on(self._connection, self._statement_timeout)
        return self._database.reading(self._statement_timeout)

    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        """Return scopes, active or not, by name and id."""
        query = sa.select(
            SCOPES.c.scope_id,
            SCOPES.c.name,
            SCOPES.c.rated_until,
            SCOPES.c.active,
            SCOPES.c.failures,
            SCOPES.c.last_error,
            SCOPES.c.retry_at,
            LAST_SEEN,
            SCOPES.c.fetcher,
            SCOPES.c.collector,
            SCOPES.c.scope_key,
            SCOPES.c.deactivated_at,
        ).where(*selecting.of_scopes(ids, self._scope_key))
        with self._reading() as connection:
            rows = [StateRow(*row) for row in connection.execute(query)]
        # Not in SQL, because databases differ in how they sort text.
        return sorted(rows, key=lambda row: (row.name, row.id))

    def summary(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page = EVERYTHING,
    ) -> Iterator[SummaryRow]:
        """Yield exact sums, one row for each group that has frames, in the order of the groups.

        They are read from totals unless ``groupby`` or the selection has a label. A label that a
        frame lacks is None and sorts first. It holds a connection until it is exhausted or closed.
        """
        with self._reading() as connection:
            report = GroupedSums(connection, self._scope_key, selection, groupby, zone)
            yield from report.rows(page)

    def summary_page(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page,
        max_groups: int | None = None,
    ) -> SummaryPage:
        """Return some groups and their number; SQL cuts and counts unless one has a label."""
        with self._reading() as connection:
            rated_until = self._read_rated_until(connection, selection.scopes)
            report = GroupedSums(connection, self._scope_key, selection, groupby, zone)
            rows, total = report.page(page, max_groups)
        return SummaryPage(rows, total, rated_until)

    def _read_rated_until(
        self, connection: sa.Connection, scopes: AllScopes | frozenset[str]
    ) -> datetime.datetime | None:
        if scopes is ALL_SCOPES or len(scopes) != 1:
            return None
        query = sa.select(SCOPES.c.rated_until).where(*selecting.of_scopes(scopes, self._scope_key))
        rated_until: datetime.datetime | None = connection.execute(query).scalar()
        return rated_until

    def prices(
        self,
        begin: datetime.datetime,
        end: datetime.datetime,
        scopes: AllScopes | frozenset[str],
        metric: str | None = None,
    ) -> Mapping[str, Decimal]:
        """Return the price of each scope with usage; one column is added up, by number."""
        with self._reading() as connection:
            return scope_prices.read(connection, self._scope_key, begin, end, scopes, metric)

    def labels(self) -> Mapping[str, Collection[str]]:
        """Return the labels of each metric that was ever rated, by public name."""
        query = sa.select(
            DESCRIPTORS.c.metric, DESCRIPTORS.c.groupby, DESCRIPTORS.c.metadata
        ).distinct()
        names: dict[str, set[str]] = {}
        with (
            self._reading() as connection,
            connection.execute(query, execution_options=selecting.STREAMED) as rows,
        ):
            for row in rows:
                names.setdefault(row.metric, set()).update(
                    labels(row.groupby), labels(row.metadata)
                )
        return names

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        """Yield frames by begin, scope, metric, labels and unit.

        It holds a connection until it is exhausted or closed.
        """
        with self._reading() as connection:
            yield from SelectedFrames(connection, self._scope_key, selection).read(page)

    def count_frames(self, selection: Selection) -> int:
        """Return the number of frames; from totals unless the selection has labels."""
        with self._reading() as connection:
            return SelectedFrames(connection, self._scope_key, selection).count()

    def newest_usage(
        self, metrics: Collection[str], scopes: AllScopes | frozenset[str]
    ) -> Iterator[FrameRow]:
        """Yield frames by the newest totals of each scope; some queries for each metric.

        It holds a connection until it is exhausted or closed.
        """
        with self._reading() as connection:
            yield from newest_usage.read(connection, self._scope_key, metrics, scopes)

    def rated_spans(
        self, scopes: frozenset[str], begin: datetime.datetime, end: datetime.datetime
    ) -> Mapping[str, RatedSpan]:
        """Return from when to when scopes are rated, by two statements."""
        with self._reading() as connection:
            return coverage.read_spans(connection, self._scope_key, scopes, begin, end)

    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        """Return the records of a scope's periods that begin in ``[begin, end)``."""
        with self._reading() as connection:
            return coverage.read(connection, self._scope_key, scope_id, begin, end)
