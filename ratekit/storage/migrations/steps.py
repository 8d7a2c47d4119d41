"""Operations that make migrations repeatable where each change of a table commits.

On MariaDB and MySQL a migration that was killed has made a part of its changes. When it runs
again, it must skip them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

#: Key of MigrationContext.opts: whether this run repeats a migration that was interrupted.
RESUMED = "ratekit_resumed"


def is_resumed() -> bool:
    """Return whether tables of this migration may exist already.

    Otherwise a table of the same name belongs to another program.
    """
    return bool(op.get_context().opts.get(RESUMED, False))


def add_column(table: str, column: sa.Column[object]) -> None:
    """Add a column, unless the interrupted run has added it."""
    if not (is_resumed() and has_column(table, column.name)):
        op.add_column(table, column)


def has_column(table: str, name: str) -> bool:
    """Return whether a table has a column: the interrupted run may have added or dropped it."""
    return name in {info["name"] for info in sa.inspect(op.get_bind()).get_columns(table)}


def drop_column(table: str, name: str) -> None:
    """Drop a column, unless the interrupted run has dropped it."""
    if not is_resumed() or has_column(table, name):
        op.drop_column(table, name)


def drop_table(name: str) -> None:
    """Drop a table, unless the interrupted run has dropped it."""
    op.drop_table(name, if_exists=is_resumed())


def create_index(name: str, table: str, columns: list[str], unique: bool = False) -> None:
    """Create an index, unless the interrupted run has created it."""
    if not (is_resumed() and _has_index(table, name)):
        op.create_index(name, table, columns, unique=unique)


def drop_index(name: str, table: str) -> None:
    """Drop an index, unless the interrupted run has dropped it."""
    if not is_resumed() or _has_index(table, name):
        op.drop_index(name, table)


def _has_index(table: str, name: str) -> bool:
    return name in {info["name"] for info in sa.inspect(op.get_bind()).get_indexes(table)}


def exact_text(length: int) -> mysql.VARCHAR:
    """Return MariaDB's and MySQL's type of short text under which different texts are never equal.

    ``utf8mb4_bin`` would ignore trailing blanks.
    """
    mariadb = getattr(op.get_context().dialect, "is_mariadb", False)
    collation = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
    return mysql.VARCHAR(length, collation=collation)
