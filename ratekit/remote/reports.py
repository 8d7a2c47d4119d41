"""Reports that an API computes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.domain.reporting.buckets import BUCKETS, bucket
from ratekit.domain.reporting.coverage import CoverageFacts
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
from ratekit.remote.client import Client
from ratekit.remote.refusal import refuse
from ratekit.remote.scopes import list_scopes

#: Words that are something else in the API than the label of this name.
_RESERVED = frozenset({"type", "time", "period", "resource_id"})
#: Columns of sums, by names that no label has.
_FRAMES, _QUANTITY, _UNIT, _PRICE = "_frames", "_quantity", "_unit", "_price"
_FIELDS = (
    f"COUNT(qty) AS {_FRAMES}, SUM(qty) AS {_QUANTITY}, UNIT(qty) AS {_UNIT}, "
    f"SUM(price) AS {_PRICE}"
)


class RemoteReports(Reports):
    """Asks an API for reports; it decides which scopes the user may see.

    :param note: is told what a report lacks
    """

    def __init__(self, client: Client, note: Callable[[str], None]) -> None:
        self._client = client
        self._note = note

    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        """Return scopes; none to a user who may not list them."""
        try:
            rows, _ = list_scopes(self._client)
        except errors.AccessDenied:
            return []
        return [row for row in rows if ids is ALL_SCOPES or row.id in ids]

    def summary(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page = EVERYTHING,
    ) -> Iterator[SummaryRow]:
        """Yield exact sums, from one answer.

        :raises ratekit.errors.OperatorError: the API cannot be asked for this
        """
        _require_possible(selection, groupby, zone)
        body = self._client.get(
            "/v2/summary",
            begin=_time(selection.begin),
            end=_time(selection.end),
            filters=list(_filters(selection)),
            groupby=list(groupby),
            custom_fields=_FIELDS,
            response_format="object",
            offset=page.offset or None,
            limit=page.limit,
        )
        if "note" in body:
            self._note(body["note"])
        for entry in body["results"]:
            yield _read_sums(entry, groupby)

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
        """Return the labels of the metrics that are rated now."""
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

    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        """Refuse to show single periods."""
        refuse()


def _require_possible(selection: Selection, groupby: Sequence[str], zone: datetime.tzinfo) -> None:
    """:raises ratekit.errors.OperatorError: the API would answer something else."""
    for key in groupby:
        if key in _RESERVED or key.startswith("time-"):
            raise errors.OperatorError(f"--groupby: {key!r} is no label in the API")
        if key in BUCKETS and zone is not datetime.UTC:
            raise errors.OperatorError(
                f"--timezone: the API knows each {key} in UTC only; use UTC, or the database"
            )
    for value in _values(selection):
        if "," in value:
            raise errors.OperatorError(f"the API cannot select {value!r}, which has a comma")


def _values(selection: Selection) -> Iterator[str]:
    yield from selection.metrics
    if selection.scopes is not ALL_SCOPES:
        yield from sorted(selection.scopes)


def _filters(selection: Selection) -> Iterator[str]:
    if selection.labels:
        refuse()
    for metric in selection.metrics:
        yield f"metric:{metric}"
    if selection.scopes is not ALL_SCOPES:
        for scope in sorted(selection.scopes):
            yield f"scope:{scope}"


def _time(instant: datetime.datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _read_sums(entry: Mapping[str, Any], groupby: Sequence[str]) -> SummaryRow:
    begin = datetime.datetime.fromisoformat(entry["begin"])
    quantity = entry[_QUANTITY]
    return SummaryRow(
        {
            key: bucket(begin, key, datetime.UTC) if key in BUCKETS else entry[key]
            for key in groupby
        },
        entry[_FRAMES],
        None if quantity is None else Decimal(quantity),
        entry[_UNIT],
        Decimal(entry[_PRICE]),
    )
