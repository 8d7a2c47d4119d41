"""The columns of a summary: times, groups and sums."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit.api.faults import Fault
from ratekit.domain.reporting.buckets import bucket
from ratekit.domain.reporting.reports import SummaryRow

_BEGIN, _END = "begin", "end"
#: Key of reports for a period as it was rated.
_PERIOD = "period"
#: CloudKitty's word, the key of reports, the column, and how its value is written.
_TIMES = (
    ("time-h", "hour", "hour", "%-H"),
    ("time-d", "day", "day_of_the_year", "%-j"),
    ("time-w", "week", "week_of_the_year", "%U"),
    ("time-m", "month", "month", "%-m"),
    ("time-y", "year", "year", "%Y"),
)
_TIME_WORDS = {word: entry for entry in _TIMES for word in entry[:3]}
_PERIOD_WORDS = frozenset({"time", _PERIOD})
#: From a bucket's start to a time in the next one.
_STEPS = {
    "hour": datetime.timedelta(hours=1),
    "day": datetime.timedelta(hours=36),
    "week": datetime.timedelta(days=8),
    "month": datetime.timedelta(days=32),
    "year": datetime.timedelta(days=367),
}
#: Keys of reports that are no labels.
_PLAIN = frozenset({"scope", "metric", _PERIOD, *_STEPS})
_FIELD = re.compile(r"\s*(\w+)\s*\(\s*(\w+)\s*\)\s+AS\s+([A-Za-z_]\w{0,62})\s*", re.ASCII | re.I)
_MEASURES = {
    ("SUM", "QTY"): "quantity",
    ("SUM", "PRICE"): "price",
    ("UNIT", "QTY"): "unit",
    ("COUNT", "QTY"): "points",
    ("COUNT", "PRICE"): "points",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """What a word of ``groupby`` groups by.

    :ivar key: of a report
    :ivar column: where its value is shown; None: only begin and end show it
    :ivar form: how a time is written
    """

    key: str
    column: str | None
    form: str | None = None

    def show(self, row: SummaryRow) -> str | None:
        """Return the value of a row."""
        value = row.group[self.key]
        if isinstance(value, datetime.datetime):
            assert self.form is not None, "times have a form"
            return value.strftime(self.form)
        return value


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A column with a sum.

    :ivar measure: which field of a row it shows
    """

    column: str
    measure: str

    def show(self, row: SummaryRow) -> Decimal | int | str | None:
        """Return the value of a row."""
        value: Decimal | int | str | None = getattr(row, self.measure)
        return value


#: What CloudKitty shows.
FIELDS = (Field("qty", "quantity"), Field("rate", "price"))
#: What a bill has besides.
BILL_FIELDS = (Field("frames", "points"), FIELDS[0], Field("unit", "unit"), FIELDS[1])


def read_key(word: str, scope_key: str, metric_words: Sequence[str], label: str) -> Key:
    """Return what a word groups by.

    :param metric_words: those for the metric
    :param label: which label it is, if it is one
    :raises ratekit.api.faults.Fault: it is a time that does not exist
    """
    if word in metric_words:
        return Key("metric", word)
    if word in (scope_key, "scope"):
        return Key("scope", word)
    if word in _PERIOD_WORDS:
        return Key(_PERIOD, None)
    if word in _TIME_WORDS:
        _, key, column, form = _TIME_WORDS[word]
        return Key(key, column, form)
    if word.startswith("time-"):
        words = ", ".join(entry[0] for entry in _TIMES)
        raise Fault(400, f"groupby: expected time, {words}, type or a label, not {word!r}")
    return Key(label, word)


def read_fields(text: str) -> Sequence[Field]:
    """Return the columns that ``custom_fields`` asks for.

    :raises ratekit.api.faults.Fault: there is one that cannot be computed exactly
    """
    return [_read_field(part) for part in text.split(",")]


def _read_field(text: str) -> Field:
    match = _FIELD.fullmatch(text)
    measure = match and _MEASURES.get((match[1].upper(), match[2].upper()))
    if match is None or measure is None:
        raise Fault(
            400,
            "custom_fields: expected SUM(qty), SUM(price), COUNT(qty) or UNIT(qty), each with AS "
            f"and a name, not {text.strip()[:60]!r}",
        )
    return Field(match[3], measure)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """How a summary is shown.

    :ivar begin: of the report, UTC
    :ivar end: likewise, exclusive
    :ivar step: length of a period
    :ivar zone: of all times
    """

    begin: datetime.datetime
    end: datetime.datetime
    step: datetime.timedelta
    keys: Sequence[Key]
    fields: Sequence[Field]
    zone: datetime.tzinfo = datetime.UTC

    def __post_init__(self) -> None:
        columns = [_BEGIN, _END, *(column.column for column in self._values())]
        for column in columns:
            if columns.count(column) > 1:
                raise Fault(400, f"expected one column {column!r}, not several")

    @property
    def groupby(self) -> Sequence[str]:
        """The keys of the report, each once."""
        return list(dict.fromkeys(key.key for key in self.keys))

    @property
    def has_no_labels(self) -> bool:
        """Whether the report reads totals alone, if its selection has no labels."""
        return _PLAIN.issuperset(self.groupby)

    def columns(self, *, sums_last: bool = False) -> Sequence[str]:
        """Return the columns' names."""
        values = self._values(sums_last=sums_last)
        return [_BEGIN, _END, *(str(column.column) for column in values)]

    def row(self, row: SummaryRow, *, sums_last: bool = False) -> Sequence[Any]:
        """Return the values of a group."""
        values = self._values(sums_last=sums_last)
        return [*self._bounds(row.group), *(column.show(row) for column in values)]

    def _values(self, *, sums_last: bool = False) -> Sequence[Key | Field]:
        keys = [key for key in self.keys if key.column is not None]
        return [*keys, *self.fields] if sums_last else [*self.fields, *keys]

    def _bounds(self, group: Mapping[str, Any]) -> Iterator[datetime.datetime]:
        """Yield the time range that a row adds up, in the zone."""
        for instant in self._instants(group):
            yield instant.astimezone(self.zone)

    def _instants(self, group: Mapping[str, Any]) -> tuple[datetime.datetime, datetime.datetime]:
        """Return the time range that a row adds up."""
        if _PERIOD in group:
            return group[_PERIOD], group[_PERIOD] + self.step
        begins, ends = [self.begin], [self.end]
        for key, step in _STEPS.items():
            if key in group:
                begins.append(group[key])
                # In UTC, where clocks do not change within a step.
                later = group[key].astimezone(datetime.UTC) + step
                ends.append(bucket(later, key, self.zone))
        return max(begins), min(ends)
