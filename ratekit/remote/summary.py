"""A summary that an API computes, in one answer or in pages."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import BUCKETS, bucket
from ratekit.domain.reporting.reports import Page, Selection, SummaryRow
from ratekit.remote.client import Client, PagesNeeded, reading_answers
from ratekit.remote.pairs import encode_filters
from ratekit.remote.refusal import refuse

#: Words that are something else in the API than the label of this name.
_RESERVED = frozenset({"type", "time", "period", "resource_id"})
#: Columns of sums, by names that no label has.
_FRAMES, _QUANTITY, _UNIT, _PRICE = "_frames", "_quantity", "_unit", "_price"
_FIELDS = (
    f"COUNT(qty) AS {_FRAMES}, SUM(qty) AS {_QUANTITY}, UNIT(qty) AS {_UNIT}, "
    f"SUM(price) AS {_PRICE}"
)
#: How often pages are read before they must be of one instant.
_TRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What an API answers.

    :ivar note: what it lacks
    """

    rows: Sequence[SummaryRow]
    note: str | None


class SummaryQuery:
    """Asks for one summary.

    :raises ratekit.errors.OperatorError: the API would answer something else
    """

    def __init__(
        self,
        client: Client,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
    ) -> None:
        _require_possible(selection, groupby)
        self._client = client
        self._selection = selection
        self._groupby = groupby
        self._zone = zone

    def read(self) -> Summary:
        """Return all groups.

        :raises ratekit.errors.TryLater: pages of them are not of one instant
        """
        try:
            return self.read_page(Page())
        except PagesNeeded as error:
            return self._read_pages(error.limit)

    @reading_answers()
    def read_page(self, page: Page) -> Summary:
        """Return some groups, from one answer."""
        body = self._ask(page, self._groupby)
        return Summary(
            [_read_sums(entry, self._groupby, self._zone) for entry in body["results"]],
            body.get("note"),
        )

    def _read_pages(self, limit: int) -> Summary:
        """Return all groups, from several answers.

        :param limit: groups of an answer
        """
        for _ in range(_TRIES):
            rows: list[SummaryRow] = []
            page = Page(0, limit)
            while len(rows) == page.offset:
                summary = self.read_page(page)
                rows += summary.rows
                page = Page(page.offset + limit, limit)
            if self._is_whole(rows):
                return Summary(rows, summary.note)
        raise errors.TryLater("the summary changes while its pages are read; choose an earlier end")

    @reading_answers()
    def _is_whole(self, rows: Sequence[SummaryRow]) -> bool:
        """Return whether the groups add up to their total: usage may be rated between pages."""
        totals = self._ask(Page(), ())["results"]
        points = sum(row.points for row in rows)
        price = add_up(row.price for row in rows)
        expected = [(entry[_FRAMES], Decimal(entry[_PRICE])) for entry in totals]
        return expected == ([(points, price)] if rows else [])

    def _ask(self, page: Page, groupby: Sequence[str]) -> Any:
        selection = self._selection
        body, filters = encode_filters(selection)
        return self._client.get(
            "/v2/summary",
            body,
            **filters,
            begin=_time(selection.begin),
            end=_time(selection.end),
            groupby=list(groupby),
            zone=None if self._zone is datetime.UTC else str(self._zone),
            custom_fields=_FIELDS,
            response_format="object",
            offset=page.offset or None,
            limit=page.limit,
        )


def _require_possible(selection: Selection, groupby: Sequence[str]) -> None:
    for key in groupby:
        if key in _RESERVED or key.startswith("time-"):
            raise errors.OperatorError(f"--groupby: {key!r} is no label in the API")
    if selection.labels:
        refuse()


def _time(instant: datetime.datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _read_sums(
    entry: Mapping[str, Any], groupby: Sequence[str], zone: datetime.tzinfo
) -> SummaryRow:
    begin = datetime.datetime.fromisoformat(entry["begin"])
    quantity = entry[_QUANTITY]
    return SummaryRow(
        {
            key: bucket(begin, key, zone).astimezone(zone) if key in BUCKETS else entry[key]
            for key in groupby
        },
        entry[_FRAMES],
        None if quantity is None else Decimal(quantity),
        entry[_UNIT],
        Decimal(entry[_PRICE]),
    )
