"""What the pages of operators share: they are about all scopes, and long lists have pages."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pydantic

from ratekit.api.arguments import Arguments, Offset, first_text
from ratekit.api.visibility import Demand
from ratekit.dashboard.page import PageCall, PageRange
from ratekit.domain.reporting.reports import ALL_SCOPES, Page
from ratekit.text import count_text

#: Rows of a list; most rows of one, for spreadsheets.
_ROWS, _MOST_ROWS = 50, 1_000
_ALL = Demand(ALL_SCOPES, narrows=False)
_Limit = Annotated[int, pydantic.BeforeValidator(first_text), pydantic.Field(ge=1, le=_MOST_ROWS)]


class OperatorArguments(Arguments):
    """Arguments of a page about all scopes."""

    def demand(self, scope_key: str) -> Demand:
        """Return all scopes, which only administrators may see."""
        return _ALL


class OperatorRange(PageRange):
    """Arguments of a page about a time range of all scopes."""

    def demand(self, scope_key: str) -> Demand:
        """Return all scopes, which only administrators may see."""
        return _ALL


class Paged(OperatorArguments):
    """Arguments of a long list.

    :ivar offset: number of rows to skip
    :ivar limit: most rows
    """

    offset: Offset = 0
    limit: _Limit = _ROWS


class PagedRange(OperatorRange):
    """Arguments of a long list of a time range; as :class:`Paged`."""

    offset: Offset = 0
    limit: _Limit = _ROWS


@dataclasses.dataclass(frozen=True, slots=True)
class Pager:
    """Where in a long list a page is; fields are those of the macro ``pager``.

    :ivar previous: address; None: there are no rows before
    :ivar next: likewise
    """

    text: str
    previous: str | None
    next: str | None


def read_page(arguments: Paged | PagedRange) -> Page:
    """Return the part of a list that is asked for."""
    return Page(arguments.offset, arguments.limit)


def build_pager(call: PageCall[Any], path: str, total: int, noun: str) -> Pager:
    """Return the addresses of the pages before and after, with all other arguments.

    :param path: of this page
    :param total: number of rows of all pages
    :param noun: what a row is
    """
    offset, limit = call.arguments.offset, call.arguments.limit
    first, end = offset + 1, offset + limit
    arguments = call.arguments.model_dump(exclude_defaults=True)

    def link(start: int) -> str:
        return call.link(path, **{**arguments, "offset": start or None})

    last, rows = min(end, total), count_text(total, noun)
    return Pager(
        f"{first:,} to {last:,} of {rows}" if 0 < last - offset < total else rows,
        link(max(0, offset - limit)) if offset else None,
        link(end) if end < total else None,
    )
