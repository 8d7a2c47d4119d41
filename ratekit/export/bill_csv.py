"""A bill for spreadsheets: what each project paid for each metric on each day."""

from __future__ import annotations

import codecs
import datetime
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from ratekit.domain.reporting.reports import Selection
from ratekit.export.csv_text import write_rows
from ratekit.interfaces import Reports

COLUMNS = (
    "Project ID", "Project", "Metric", "Day", "Time zone", "Frames", "Quantity", "Unit", "Price",
    "Currency",
)  # fmt: skip
#: Number of parts of a file that has no rows.
HEAD = 2


def write_bill(
    reports: Reports,
    selection: Selection,
    zone: datetime.tzinfo,
    names: Mapping[str, str],
    currency: str,
) -> Generator[bytes, None, None]:
    """Yield the lines of the file: a row for each project, metric and day that has usage.

    Amounts have all digits. The file starts with a mark by which Excel knows that it is UTF-8.

    :param zone: of days
    :param names: of projects, by ID
    :param currency: empty: none
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    yield codecs.BOM_UTF8
    yield from write_rows([COLUMNS])
    yield from write_rows(_rows(reports, selection, zone, names, currency))


def _rows(
    reports: Reports,
    selection: Selection,
    zone: datetime.tzinfo,
    names: Mapping[str, str],
    currency: str,
) -> Iterator[Sequence[Any]]:
    for row in reports.summary(selection, ("scope", "metric", "day"), zone):
        scope, metric, day = row.group.values()
        assert isinstance(day, datetime.datetime), "the last key is a time"
        yield (
            scope,
            names.get(str(scope)),
            metric,
            day.date(),
            str(zone),
            row.points,
            row.quantity,
            row.unit,
            row.price,
            currency,
        )
