"""What a database of ratekit's holds, by natural keys: no id that a database gave is in it.

Read with plain SQL, not by ratekit's own code, the same on SQLite, PostgreSQL and MariaDB.
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
#: Natural key -> the other columns of each row that has it; more than one is one too many.
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
    """Everything that money depends on.

    :ivar frames: (scope key, scope, metric, unit, begin, groupby, metadata) -> (quantity, price)
    :ivar totals: (scope key, scope, metric, unit, begin) -> (points, quantity, price)
    :ivar states: (scope key, scope) -> state
    """

    frames: Rows
    totals: Rows
    states: Mapping[Key, State]

    def until(self, horizon: datetime.datetime) -> Content:
        """Return what begins before ``horizon``, aware UTC, as if no more had been rated."""
        naive = horizon.replace(tzinfo=None)
        return Content(
            {key: rows for key, rows in self.frames.items() if key[4] < naive},
            {key: rows for key, rows in self.totals.items() if key[4] < naive},
            {key: _until(state, naive) for key, state in self.states.items()},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """How a database differs from the true one.

    :ivar lost: keys of rows that are not there
    :ivar doubled: keys of rows that are there more than once, or that should not be there
    :ivar changed: keys of rows with other values
    :ivar states: (key of a scope, its true state, the one found) where these differ
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


def compare(true: Content, found: Content) -> Difference:
    """Compare everything."""
    frames = _compared(true.frames, found.frames)
    totals = _compared(true.totals, found.totals)
    scopes = sorted({*true.states, *found.states})
    states = [(key, true.states.get(key), found.states.get(key)) for key in scopes]
    return Difference(
        frames.lost + totals.lost,
        frames.doubled + totals.doubled,
        frames.changed + totals.changed,
        tuple(one for one in states if one[1] != one[2]),
    )


def wrong_sums(content: Content) -> list[Key]:
    """Return the keys of totals that are not the exact sums of their frames, or lack them."""
    sums: dict[Key, list[Fraction]] = collections.defaultdict(lambda: [Fraction(0)] * 3)
    for key, rows in content.frames.items():
        for quantity, price in rows:
            one = sums[key[:5]]
            sums[key[:5]] = [one[0] + 1, one[1] + Fraction(quantity), one[2] + Fraction(price)]
    told = {key: [Fraction(one) for one in rows[0]] for key, rows in content.totals.items()}
    return [key for key in {*sums, *told} if sums.get(key) != told.get(key)]


def _compared(true: Rows, found: Rows) -> Difference:
    return Difference(
        lost=tuple(sorted(true.keys() - found.keys(), key=str)),
        doubled=tuple(
            sorted(
                (key for key, rows in found.items() if len(rows) != 1 or key not in true), key=str
            )
        ),
        changed=tuple(
            sorted((key for key in true.keys() & found.keys() if true[key] != found[key]), key=str)
        ),
    )


def _rows(connection: sa.Connection, query: str, key: int) -> Rows:
    rows: dict[Key, tuple[tuple[Any, ...], ...]] = {}
    for row in connection.exec_driver_sql(query).mappings():
        values = tuple(_plain(name, value) for name, value in row.items())
        rows[values[:key]] = (*rows.get(values[:key], ()), values[key:])
    return rows


def _plain(column: str, value: Any) -> Any:
    """Return a value in one form: SQLite keeps instants and decimals as text."""
    if not isinstance(value, str):
        return value
    if column in _INSTANTS:
        return datetime.datetime.fromisoformat(value)
    return Decimal(value) if column in _DECIMALS else value


def _state(*row: Any) -> State:
    until, last, active, *others = row
    return State(until, last, bool(active), *others)


def _until(state: State, horizon: datetime.datetime) -> State:
    last = state.last_rated
    return dataclasses.replace(
        state,
        rated_until=min(state.rated_until, horizon),
        last_rated=None if last is None else min(last, horizon),
    )
