"""The rows of ``daily_totals``: always the exact sums of ``totals``, by the day of their begin.

Whoever writes totals calls this in the same transaction, and has the scopes' rows locked: then
nobody else writes totals of these scopes meanwhile.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import exc

from ratekit import errors
from ratekit.domain import period
from ratekit.storage.db import bulk
from ratekit.storage.db.dialects import insert_or_add
from ratekit.storage.db.errors import is_out_of_range
from ratekit.storage.ledger.sums import DAY, Total, sum_days
from ratekit.storage.schema import DAILY_TOTALS, TOTALS

_COLUMNS = tuple(column.name for column in DAILY_TOTALS.columns)
_SUMS = ("points", "quantity", "price")
#: Rows of one statement. While it is sent, a row takes 1.3 KB of memory; a batch of the default
#: [orchestrator] batch_frames has 11,000 series, each of which may be a row.
PART = 12_000


def add(connection: sa.Connection, days: Sequence[Total]) -> None:
    """Add what new totals add up to, by a statement for each :data:`PART`.

    :param days: as :func:`ratekit.storage.ledger.sums.sum_days` returns them
    :raises ratekit.errors.OperatorError: a sum cannot be stored
    """
    for part in bulk.chunks(days, PART):
        rows = [dict(zip(_COLUMNS, day, strict=True)) for day in part]
        with _translate():
            insert_or_add(connection, DAILY_TOTALS, rows, _SUMS)


def refresh(
    connection: sa.Connection,
    scope_pk: int,
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
) -> None:
    """Sum up a scope's totals anew, of each day that has a part from ``begin`` until ``end``.

    :param begin: None: from the first day on
    :param end: None: until the last day
    :raises ratekit.errors.OperatorError: a sum cannot be stored
    """
    old = _within(DAILY_TOTALS, scope_pk, begin, end)
    connection.execute(DAILY_TOTALS.delete().where(old))
    # Not added up by the database: of a sum that does not fit, MariaDB's GROUP BY makes the largest
    # number that does.
    query = sa.select(TOTALS).where(_within(TOTALS, scope_pk, begin, end))
    add(connection, sum_days(Total(*row) for row in connection.execute(query)))


def _within(
    table: sa.Table,
    scope_pk: int,
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
) -> sa.ColumnElement[bool]:
    """Return the condition for a scope's rows on whole days."""
    condition = table.c.scope_id == scope_pk
    if begin is not None:
        condition &= table.c.begin >= period.floor(begin, DAY)
    if end is not None:
        condition &= table.c.begin < period.ceiling(end, DAY)
    return condition


@contextlib.contextmanager
def _translate() -> Iterator[None]:
    """:raises ratekit.errors.OperatorError: a column cannot hold a sum"""
    try:
        yield
    except exc.DBAPIError as error:
        if not is_out_of_range(error.orig):
            raise
        raise errors.OperatorError(
            "a sum of a day cannot be stored: a quantity has at most 47 digits before the decimal "
            "point, a price 37"
        ) from error
