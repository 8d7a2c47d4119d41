"""Reports that an API computes."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
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
from ratekit.remote.client import Client, reading_answers
from ratekit.remote.refusal import refuse
from ratekit.remote.scopes import list_scopes
from ratekit.remote.summary import SummaryQuery


class RemoteReports(Reports):
    """Asks an API for reports; it decides which scopes the user may see.

    :param note: is told what a report lacks
    """

    def __init__(self, client: Client, note: Callable[[str], None]) -> None:
        self._client = client
        self._note = note
        self._scopes: Sequence[StateRow] | None = None

    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        """Return scopes, as they were at the first call; none to a user who may not list them."""
        if self._scopes is None:
            try:
                self._scopes, _ = list_scopes(self._client)
            except errors.AccessDenied:
                self._scopes = ()
        return [row for row in self._scopes if ids is ALL_SCOPES or row.id in ids]

    def summary(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page = EVERYTHING,
    ) -> Iterator[SummaryRow]:
        """Yield exact sums, all of one instant.

        :raises ratekit.errors.OperatorError: the API cannot be asked for this
        """
        query = SummaryQuery(self._client, selection, groupby, zone)
        summary = query.read() if page == EVERYTHING else query.read_page(page)
        if summary.note is not None:
            self._note(summary.note)
        yield from summary.rows

    def prices(
        self,
        begin: datetime.datetime,
        end: datetime.datetime,
        scopes: AllScopes | frozenset[str],
        metric: str | None = None,
    ) -> Mapping[str, Decimal]:
        """Return the price of each scope, from one answer."""
        metrics = () if metric is None else (metric,)
        selection = Selection(begin, end, scopes=scopes, metrics=metrics)
        rows = self.summary(selection, ("scope",), datetime.UTC)
        return {str(row.group["scope"]): row.price for row in rows}

    def summary_page(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page,
        max_groups: int | None = None,
    ) -> SummaryPage:
        """Refuse; no command counts groups."""
        refuse()

    def labels(self) -> Mapping[str, Collection[str]]:
        """Return the labels of the metrics that are rated now; none if it is not known."""
        try:
            return self._read_labels()
        except errors.RatekitError:
            # For hints only; no report needs it.
            return {}

    @reading_answers()
    def _read_labels(self) -> Mapping[str, Collection[str]]:
        body = self._client.get("/v1/info/metrics")
        return {entry["metric_id"]: entry["metadata"] for entry in body["metrics"]}

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        """Refuse to list frames."""
        refuse()

    def count_frames(self, selection: Selection) -> int:
        """Refuse to count frames."""
        refuse()

    def newest_usage(
        self, metrics: Collection[str], scopes: AllScopes | frozenset[str]
    ) -> Iterator[FrameRow]:
        """Refuse to list frames."""
        refuse()

    def snapshot(self) -> contextlib.AbstractContextManager[Reports]:
        """Refuse; each answer is of its own instant."""
        refuse()

    def rated_spans(
        self, scopes: frozenset[str], begin: datetime.datetime, end: datetime.datetime
    ) -> Mapping[str, RatedSpan]:
        """Refuse; only bills as pages need them."""
        refuse()

    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        """Refuse to show single periods."""
        refuse()
