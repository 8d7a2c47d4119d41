"""Differences of databases: exact sums, inserts that skip existing rows, bulk writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ratekit.domain.exact import EXACT, ZERO


class exact_sum(FunctionElement[Decimal]):  # noqa: N801 -- written like a function in queries
    """The sum of a column of exact decimals; NULL without rows."""

    name = "exact_sum"
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Decimal]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(exact_sum)
def _sum(element: exact_sum, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"sum({compiler.process(element.clauses, **kwargs)})"


@compiles(exact_sum, "sqlite")
def _sum_on_sqlite(element: exact_sum, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"exact_sum({compiler.process(element.clauses, **kwargs)})"


class is_zero(FunctionElement[bool]):  # noqa: N801 -- written like a function in queries
    """Whether an exact decimal is 0."""

    name = "is_zero"
    inherit_cache = True
    type = sa.Boolean()

    def __init__(self, column: sa.ColumnElement[Decimal]) -> None:
        super().__init__(column)


@compiles(is_zero)
def _is_zero(element: is_zero, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"({compiler.process(element.clauses, **kwargs)} = 0)"


@compiles(is_zero, "sqlite")
def _is_zero_on_sqlite(element: is_zero, compiler: SQLCompiler, **kwargs: Any) -> str:
    # A decimal as text; the smallest that can be stored is far from becoming 0 in binary.
    return f"(CAST({compiler.process(element.clauses, **kwargs)} AS REAL) = 0)"


class TextSum:
    """SQLite's exact_sum: adds decimals that are stored as text."""

    def __init__(self) -> None:
        self._sum = ZERO
        self._seen = False

    def step(self, text: str | None) -> None:
        """Add one value."""
        if text is not None:
            self._sum = EXACT.add(self._sum, Decimal(text))
            self._seen = True

    def finalize(self) -> str | None:
        """Return the sum as text."""
        return str(self._sum) if self._seen else None


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert ``rows``; skip a row that violates a unique key, because it exists already."""
    statement: sa.Insert
    match connection.dialect.name:
        case "sqlite":
            statement = sqlite.insert(table).on_conflict_do_nothing()
        case "postgresql":
            statement = postgresql.insert(table).on_conflict_do_nothing()
        case _:
            # INSERT IGNORE would also truncate text that is too long.
            statement = mysql.insert(table).on_duplicate_key_update(id=table.c.id)
    connection.execute(statement, rows)


def insert_many(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Iterable[tuple[str | int | None, ...]],
) -> None:
    """Insert very many rows in the fastest way that the driver offers.

    :param rows: values in the database's notation: decimals and instants as text, None as NULL
    """
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(quote(column) for column in columns)})"
    if dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
            write = copy.write_row
            for row in rows:
                write(row)
        return
    placeholder = "?" if dialect.paramstyle == "qmark" else "%s"
    placeholders = ", ".join([placeholder] * len(columns))
    if parameters := list(rows):
        connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({placeholders})", parameters)
