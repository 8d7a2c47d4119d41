"""The content of ratekit's database by natural keys, without ids that the database generates.

Read with plain SQL, not with ratekit's code; the same on SQLite, PostgreSQL and MariaDB.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

_FRAMES = """
SELECT s.scope_key, s.scope_id, d.metric, d.unit, f.begin, d.groupby, d.metadata,
       f.quantity, f.price
FROM frames f
LEFT JOIN scopes s ON s.id = f.scope_id
LEFT JOIN descriptors d ON d.id = f.descriptor_id
"""
_TOTALS = """
SELECT s.scope_key, s.scope_id, t.metric, t.unit, t.begin, t.points, t.quantity, t.price
FROM totals t
LEFT JOIN scopes s ON s.id = t.scope_id
"""
_STATES = """
SELECT scope_key, scope_id, rated_until, last_rated, active, failures, last_error, retry_at
FROM scopes
"""

_INSTANTS = frozenset({"begin", "rated_until", "last_rated", "retry_at"})
_DECIMALS = frozenset({"quantity", "price"})

Key = tuple[Any, ...]
#: Natural key -> the other columns of each row with this key; more than one row is a fault.
Rows = Mapping[Key, tuple[tuple[Any, ...], ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """A scope's row; instants are naive UTC."""

    rated_until: datetime.datetime
    last_rated: datetime.datetime | None
    active: bool
    failures: int
    last_error: str | None
    retry_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """All rows that charges depend on.

    :ivar frames: (scope key, scope, metric, unit, begin, groupby, metadata) -> (quantity, price)
    :ivar totals: (scope key, scope, metric, unit, begin) -> (points, quantity, price)
    :ivar states: (scope key, scope) -> state
    """

    frames: Rows
    totals: Rows
    states: Mapping[Key, State]

    def until(self, horizon: datetime.datetime) -> Content:
        """Return the content before ``horizon``, aware UTC, as if no more had been rated."""
        naive = horizon.replace(tzinfo=None)
        return Content(
            {key: rows for key, rows in self.frames.items() if key[4] < naive},
            {key: rows for key, rows in self.totals.items() if key[4] < naive},
            {key: _until(state, naive) for key, state in self.states.items()},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """How a database differs from the expected content.

    :ivar lost: keys of rows that are missing
    :ivar doubled: keys of rows that exist more than once, or should not exist
    :ivar changed: keys of rows with other values
    :ivar states: (key of a scope, expected state, actual state) where these differ
    """

    lost: tuple[Key, ...] = ()
    doubled: tuple[Key, ...] = ()
    changed: tuple[Key, ...] = ()
    states: tuple[tuple[Key, State | None, State | None], ...] = ()


def read(url: str) -> Content:
    """Read a whole database, in one transaction.

    :param url: SQLAlchemy URL
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        frames = _rows(connection, _FRAMES, key=7)
        totals = _rows(connection, _TOTALS, key=5)
        states = _rows(connection, _STATES, key=2)
    engine.dispose()
    return Content(frames, totals, {key: _state(*row) for key, (row,) in states.items()})


def compare(expected: Content, actual: Content) -> Difference:
    """Compare everything."""
    frames = _compare_rows(expected.frames, actual.frames)
    totals = _compare_rows(expected.totals, actual.totals)
    scopes = sorted({*expected.states, *actual.states})
    states = [(key, expected.states.get(key), actual.states.get(key)) for key in scopes]
    return Difference(
        frames.lost + totals.lost,
        frames.doubled + totals.doubled,
        frames.changed + totals.changed,
        tuple(row for row in states if row[1] != row[2]),
    )


def wrong_sums(content: Content) -> list[Key]:
    """Return the keys where totals and the exact sums of frames differ."""
    sums: dict[Key, list[Fraction]] = collections.defaultdict(lambda: [Fraction(0)] * 3)
    for key, rows in content.frames.items():
        for quantity, price in rows:
            count, quantities, prices = sums[key[:5]]
            sums[key[:5]] = [count + 1, quantities + Fraction(quantity), prices + Fraction(price)]
    totals = {key: [Fraction(value) for value in rows[0]] for key, rows in content.totals.items()}
    return [key for key in {*sums, *totals} if sums.get(key) != totals.get(key)]


def _compare_rows(expected: Rows, actual: Rows) -> Difference:
    return Difference(
        lost=tuple(sorted(expected.keys() - actual.keys(), key=str)),
        doubled=tuple(
            sorted(
                (key for key, rows in actual.items() if len(rows) != 1 or key not in expected),
                key=str,
            )
        ),
        changed=tuple(
            sorted(
                (key for key in expected.keys() & actual.keys() if expected[key] != actual[key]),
                key=str,
            )
        ),
    )


def _rows(connection: sa.Connection, query: str, key: int) -> Rows:
    rows: dict[Key, tuple[tuple[Any, ...], ...]] = {}
    for row in connection.exec_driver_sql(query).mappings():
        values = tuple(_plain(name, value) for name, value in row.items())
        rows[values[:key]] = (*rows.get(values[:key], ()), values[key:])
    return rows


def _plain(column: str, value: Any) -> Any:
    """Return a value in one form: SQLite stores instants and decimals as text."""
    if not isinstance(value, str):
        return value
    if column in _INSTANTS:
        return datetime.datetime.fromisoformat(value)
    return Decimal(value) if column in _DECIMALS else value


def _state(*row: Any) -> State:
    until, last, active, *retry_columns = row
    return State(until, last, bool(active), *retry_columns)


def _until(state: State, horizon: datetime.datetime) -> State:
    last = state.last_rated
    return dataclasses.replace(
        state,
        rated_until=min(state.rated_until, horizon),
        last_rated=None if last is None else min(last, horizon),
    )
