"""What migrations need to be repeatable where each change of a table commits by itself.

On MariaDB and MySQL a migration that was killed half-way has made a part of its changes. It
is run again, and then finds some of them there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

#: Key of MigrationContext.opts: whether a migration that did not end is run again.
RESUMED = "ratekit_resumed"


def resumed() -> bool:
    """Tell whether tables of this migration may be there already.

    Otherwise a table of the same name is somebody else's.
    """
    return bool(op.get_context().opts.get(RESUMED, False))


def add_column(table: str, column: sa.Column[object]) -> None:
    """Add a column that an earlier run may have added."""
    there = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}
    if not (resumed() and column.name in there):
        op.add_column(table, column)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index that an earlier run may have created."""
    there = {one["name"] for one in sa.inspect(op.get_bind()).get_indexes(table)}
    if not (resumed() and name in there):
        op.create_index(name, table, columns)


def exact_text(letters: int) -> mysql.VARCHAR:
    """Return MariaDB's and MySQL's type of short text that tells all texts apart.

    Under ``utf8mb4_bin`` blanks at the end would not count.
    """
    mariadb = getattr(op.get_context().dialect, "is_mariadb", False)
    collation = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
    return mysql.VARCHAR(letters, collation=collation)
