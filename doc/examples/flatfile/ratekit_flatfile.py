"""A collector that reads usage from a CSV file: one row for a resource and a point in time.

The column ``begin`` has the time, another one the id of the scope, and the others have labels
and the values of metrics.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import datetime
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self

from oslo_config import cfg

from ratekit import errors, interfaces
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric

GROUP = "collector_flatfile"
DELIMITERS = {"comma": ",", "semicolon": ";"}
OPTS = [
    cfg.StrOpt("path", help="Path of the CSV file."),
    cfg.StrOpt(
        "delimiter",
        default="comma",
        choices=list(DELIMITERS),
        help="What separates the columns.",
    ),
]
TIME = "begin"

Labels = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class FlatFileArgs:
    """What a metric says under ``extra_args``.

    :ivar column: name of the column with the values, by default the metric's name
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    column: str = ""


class FlatFileCollector(interfaces.Collector):
    """Adds up the rows of each scope, period and set of labels.

    :param path: of the CSV file
    :param delimiter: one character
    :param scope_key: column with the ids of scopes
    """

    extra_args = FlatFileArgs

    def __init__(self, path: str, delimiter: str, scope_key: str) -> None:
        self._path = path
        self._delimiter = delimiter
        self._scope_key = scope_key

    @classmethod
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return the options of ``[collector_flatfile]``."""
        return {GROUP: OPTS}

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Require a file that can be read."""
        path = conf[GROUP].path
        if not path:
            yield GROUP, "path", "is required: the path of a CSV file"
        elif not os.access(path, os.R_OK):
            yield GROUP, "path", f"{path} cannot be read; expected a CSV file"

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[collector_flatfile]``."""
        section = conf[GROUP]
        return cls(section.path, DELIMITERS[section.delimiter], conf.collect.scope_key)

    def validate(self, metric: Metric) -> Mapping[str, str]:
        """Refuse columns that cannot have values."""
        if self._column(metric) in (TIME, self._scope_key):
            return {"column": "expected a column with numbers"}
        return {}

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        """Yield what ``scopes`` used of ``metric`` over ``window``."""
        totals: dict[tuple[str, Labels, Labels], dict[datetime.datetime, Decimal]]
        totals = collections.defaultdict(lambda: collections.defaultdict(Decimal))
        for line, row in self._rows():
            try:
                begin = datetime.datetime.fromisoformat(row[TIME])
                value = Decimal(row[self._column(metric)] or "0")
                scope = row[self._scope_key]
                groupby = tuple((name, row[name]) for name in metric.groupby)
                metadata = tuple((name, row[name]) for name in metric.metadata)
            except KeyError as error:
                raise errors.BadInput([self._mistake(1, f"has no column {error}")]) from None
            except (ValueError, InvalidOperation):
                text = "expected an ISO 8601 time and a number"
                raise errors.BadInput([self._mistake(line, text)]) from None
            if begin.tzinfo is None or not value.is_finite():
                text = "expected a time with its zone and a finite number"
                raise errors.BadInput([self._mistake(line, text)])
            begin = begin.astimezone(datetime.UTC)
            if scope in scopes and window.begin <= begin < window.end:
                totals[scope, groupby, metadata][period.floor(begin, window.step)] += value
        for (scope, groupby, metadata), points in totals.items():
            yield Series(
                scope=scope,
                metric=metric.public_name,
                unit=metric.unit,
                groupby={self._scope_key: scope, **dict(groupby)},
                metadata=dict(metadata),
                points=[(begin, metric.quantity(total)) for begin, total in points.items()],
            )

    def _column(self, metric: Metric) -> str:
        assert isinstance(metric.extra_args, FlatFileArgs)
        return metric.extra_args.column or metric.name

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        try:
            with open(self._path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, delimiter=self._delimiter, restval="")
                for row in reader:
                    yield reader.line_num, row
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise errors.OperatorError(f"{self._path} cannot be read: {error}") from None

    def _mistake(self, line: int, text: str) -> errors.Mistake:
        return errors.Mistake(self._path, line, "", text)
