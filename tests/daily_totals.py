"""Compares daily totals with totals, by plain SQL and fractions."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from ratekit.storage.db.engine import parse

_QUERY = "SELECT scope_id, begin, metric, unit, points, quantity, price FROM {}"

#: Row id of a scope, day as text, metric, unit.
Key = tuple[int, str, str, str]
#: Points, quantity, price.
Sums = tuple[Fraction, ...]
#: The sums of the totals, and what is stored; None: no row.
Difference = tuple[Key, Sums | None, Sums | None]


def find_wrong_days(url: str) -> list[Difference]:
    """Return where daily totals are not the sums of totals, now.

    :param url: SQLAlchemy URL
    """
    engine = sa.create_engine(parse(url), poolclass=sa.NullPool)
    try:
        return compare_tables(engine)
    finally:
        engine.dispose()


def compare_tables(engine: sa.Engine) -> list[Difference]:
    """Return the same; both tables are read in one snapshot, so writers may go on."""
    is_sqlite = engine.dialect.name == "sqlite"
    if not is_sqlite:
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        if is_sqlite:
            # The driver begins no transaction for a SELECT.
            connection.exec_driver_sql("BEGIN")
        totals = connection.exec_driver_sql(_QUERY.format("totals")).all()
        rows = connection.exec_driver_sql(_QUERY.format("daily_totals")).all()
    return compare(totals, rows)


def compare(totals: Iterable[Any], rows: Iterable[Any]) -> list[Difference]:
    """Compare rows of both tables."""
    sums: dict[Key, list[Fraction]] = collections.defaultdict(lambda: [Fraction(0)] * 3)
    for scope_pk, begin, metric, unit, *values in totals:
        key = scope_pk, f"{str(begin)[:10]} 00:00:00", metric, unit
        sums[key] = [old + _number(new) for old, new in zip(sums[key], values, strict=True)]
    expected = {key: tuple(values) for key, values in sums.items()}
    stored = _stored(rows)
    return [
        (key, expected.get(key), stored.get(key))
        for key in sorted({*expected, *stored})
        if expected.get(key) != stored.get(key)
    ]


def _stored(rows: Iterable[Any]) -> Mapping[Key, Sums]:
    # SQLite shows microseconds. A day that begins at another time is in no key.
    return {
        (scope_pk, str(begin).removesuffix(".000000"), metric, unit): tuple(map(_number, values))
        for scope_pk, begin, metric, unit, *values in rows
    }


def _number(value: Any) -> Fraction:
    return Fraction(Decimal(value))
