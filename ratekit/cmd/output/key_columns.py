"""The columns of a report that say what a row is about: scope, metric, time and labels."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ratekit.cmd.output import cells
from ratekit.cmd.output.scope_names import scope_names
from ratekit.domain.reporting.reports import StateRow
from ratekit.text import local_text

#: Keys of ``--groupby`` that are not labels.
KEYS = ("scope", "metric", "hour", "day", "week", "month", "year")
#: How many characters of an ISO 8601 time name a bucket; a week has the name of its Monday.
_LENGTHS = {"day": 10, "week": 10, "month": 7, "year": 4}

Group = Mapping[str, str | datetime.datetime | None]


class _Row(Protocol):
    """A row of a report about a group."""

    @property
    def group(self) -> Group: ...


R = TypeVar("R", bound=_Row)


@dataclasses.dataclass(frozen=True)
class KeyColumns:
    """Shows the groups of a report.

    :ivar keys: of ``--groupby``
    :ivar scopes: all scopes, if ``keys`` has scope
    :ivar bill: for people: names of scopes in place of IDs, by which rows are sorted; else a
        scope has two columns
    :ivar ids: IDs of scopes in a bill, too
    """

    keys: Sequence[str]
    scopes: Sequence[StateRow]
    bill: bool
    ids: bool

    def columns(self, report_columns: Iterable[str]) -> list[str]:
        """Return the columns' names.

        :param report_columns: names that the report has besides; a label of the same name is marked
        """
        reserved = {*KEYS, "name", *map(str.lower, report_columns)}
        names = []
        for key in self.keys:
            if key in KEYS:
                names.append(key.capitalize())
            else:
                names.append(f"{key} (label)" if key.lower() in reserved else key)
            if key == "scope" and not self.bill:
                names.append("Name")
        return names

    @property
    def has_subtotals(self) -> bool:
        """Whether the rows of a scope stand together, with their sum."""
        return self.bill and self.keys[:1] == ("scope",) and len(self.keys) > 1

    def sections(self, rows: Sequence[R]) -> list[list[R]]:
        """Return the rows of a bill by name, in a section for each scope if it has subtotals.

        Other reports have one section, in the order of ``rows``.
        """
        if not self.bill:
            return [list(rows)]
        ordered = sorted(rows, key=lambda row: self._order(row.group))
        if not self.has_subtotals:
            return [ordered]
        by_scope = itertools.groupby(ordered, key=lambda row: row.group["scope"])
        return [list(section) for _, section in by_scope]

    def values(self, group: Group) -> list[cells.Cell]:
        """Return the values of the key columns."""
        values = []
        for key, value in group.items():
            if isinstance(value, datetime.datetime):
                values.append(cells.optional(time_text(value, key)))
            elif key != "scope" or value is None:
                values.append(cells.optional(value))
            elif self.bill:
                values.append(cells.optional(self._names.get(value, value)))
            else:
                values += [cells.optional(value), cells.optional(self._names.get(value, ""))]
        return values

    def title(self, text: str, column: int) -> list[cells.Cell]:
        """Return empty values of the key columns with a text in one of them."""
        return [
            cells.optional(text if index == column else None) for index in range(len(self.keys))
        ]

    @functools.cached_property
    def _names(self) -> Mapping[str, str]:
        if self.bill:
            return scope_names(self.scopes, ids=self.ids)
        return {row.id: row.name for row in self.scopes}

    def _order(self, group: Group) -> list[tuple[bool, Any, Any]]:
        """Return the sort key of a group in a bill: absent labels first."""
        return [
            (value is not None, self._names.get(str(value)) if key == "scope" else value, value)
            for key, value in group.items()
        ]


def time_text(start: datetime.datetime, bucket: str) -> str:
    """Write the start of an hour, day, week, month or year in its own zone."""
    return local_text(start, start.tzinfo or datetime.UTC)[: _LENGTHS.get(bucket)]
