"""Compares daily totals with totals, and mends them, after somebody else has touched the tables."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.storage.db.engine import Database
from ratekit.storage.ledger import daily_totals
from ratekit.storage.ledger.sums import DAY, Total, sum_days
from ratekit.storage.schema import DAILY_TOTALS, SCOPES, TOTALS
from ratekit.text import count_text, number_text, printable

# Rows of a scope that are in memory at once.
_STREAMED = {"yield_per": 2000}


class Difference(NamedTuple):
    """A daily total that is not the sum of its totals.

    :ivar scope: id
    :ivar stored: None: there is no row
    :ivar expected: the exact sum; None: there are no totals
    """

    scope: str
    stored: Total | None
    expected: Total | None

    @property
    def day(self) -> datetime.datetime:
        """Start of the day, UTC."""
        return self._row().begin

    def __str__(self) -> str:
        """Describe it in one line."""
        row = self._row()
        return (
            f"scope {printable(self.scope)}, {row.begin:%Y-%m-%d}, metric {printable(row.metric)} "
            f"({printable(row.unit)}): {_text(self.stored)} stored, the totals add up to "
            f"{_text(self.expected)}"
        )

    def _row(self) -> Total:
        row = self.stored or self.expected
        assert row is not None
        return row


class TotalsCheck:
    """Reads all scopes, one after the other, whatever their scope keys are.

    :param database: at the newest revision
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def compare(self) -> Iterator[Difference]:
        """Yield what is wrong; others may write meanwhile.

        :raises ratekit.errors.OperatorError: the sum of a day cannot be stored
        """
        for scope_pk, scope in self._scopes():
            yield from self._compare(scope_pk, scope)

    def repair(self) -> Iterator[Difference]:
        """Yield what was wrong and is right now; each scope has a transaction of its own.

        :raises: as :meth:`compare`
        """
        for scope_pk, scope in self._scopes():
            # Without a lock first: most scopes are right.
            if not self._compare(scope_pk, scope):
                continue
            with self._database.writing() as connection:
                locked = sa.select(SCOPES.c.id).where(SCOPES.c.id == scope_pk)
                connection.execute(locked.with_for_update(key_share=True))
                differences = _compare(connection, scope_pk, scope)
                for begin, end in _ranges(differences):
                    daily_totals.refresh(connection, scope_pk, begin, end)
            yield from differences

    def _scopes(self) -> list[tuple[int, str]]:
        query = sa.select(SCOPES.c.id, SCOPES.c.scope_id).order_by(SCOPES.c.id)
        with self._database.reading() as connection:
            return [(row.id, row.scope_id) for row in connection.execute(query)]

    def _compare(self, scope_pk: int, scope: str) -> list[Difference]:
        with self._database.reading() as connection:
            return _compare(connection, scope_pk, scope)


def _compare(connection: sa.Connection, scope_pk: int, scope: str) -> list[Difference]:
    expected = {day[:4]: day for day in sum_days(_read(connection, TOTALS, scope_pk))}
    stored = {day[:4]: day for day in _read(connection, DAILY_TOTALS, scope_pk)}
    return [
        Difference(scope, stored.get(key), expected.get(key))
        for key in sorted({*expected, *stored})
        if stored.get(key) != expected.get(key)
    ]


def _read(connection: sa.Connection, table: sa.Table, scope_pk: int) -> Iterator[Total]:
    query = sa.select(table).where(table.c.scope_id == scope_pk)
    for row in connection.execute(query, execution_options=_STREAMED):
        yield Total(*row)


def _ranges(
    differences: Sequence[Difference],
) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """Yield times that contain the wrong days: a month each, whose totals fit into memory."""
    days = sorted({difference.day for difference in differences})
    for _, month in itertools.groupby(days, key=lambda day: (day.year, day.month)):
        first, *later = month
        yield first, max([first, *later]) + DAY


def _text(row: Total | None) -> str:
    if row is None:
        return "nothing"
    frames = count_text(row.points, "frame")
    return f"{frames}, quantity {number_text(row.quantity)}, price {number_text(row.price)}"
