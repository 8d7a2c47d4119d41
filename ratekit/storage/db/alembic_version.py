"""The row of ``alembic_version``: the revision of the tables, which decides who may write.

While a migration from 0001 to 0002 runs, the row contains ``0001>0002``. No release of ratekit
needs such a revision, so no processor writes.
"""

from __future__ import annotations

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.db.types import TABLE

#: Separates the two revisions of a migration that runs, or was interrupted.
ARROW = ">"

_METADATA = sa.MetaData()
_ROW = sa.Table(
    "alembic_version",
    _METADATA,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    **TABLE,
)


def read(connection: sa.Connection) -> str | None:
    """Return the content of the row; None: no row, the database was never migrated."""
    if not sa.inspect(connection).has_table(_ROW.name):
        return None
    revision: str | None = connection.execute(sa.select(_ROW)).scalar()
    return revision


def require(connection: sa.Connection, needed: str, place: str) -> None:
    """Require revision ``needed`` until the transaction ends; transactions share this lock.

    A migration first changes this row: that waits for the end of all transactions that hold the
    lock. A later transaction waits for the migration, or reads the new row.

    :param place: name of the database in the message
    :raises ratekit.errors.SchemaChanged: the tables are at another revision
    """
    query = sa.select(_ROW).with_for_update(read=True)
    revision = connection.execute(query).scalar()
    if revision != needed:
        raise errors.SchemaChanged(
            f"{place} was migrated to revision {revision} while this ratekit, which needs revision "
            f"{needed}, was running; stop this process and start the upgraded ratekit"
        )


def write(connection: sa.Connection, old: str | None, new: str | None) -> None:
    """Change the row from ``old`` to ``new``; None stands for no row."""
    if old is None:
        _METADATA.create_all(connection)
    if new is None:
        connection.execute(_ROW.delete())
    elif old is None:
        connection.execute(_ROW.insert().values(version_num=new))
    else:
        connection.execute(_ROW.update().values(version_num=new))
