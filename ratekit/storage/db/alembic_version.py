"""The one row that says at which revision the tables are, and who may write to them.

Alembic's own table, ``alembic_version``. While a migration from 0001 to 0002 is under way, the
row says ``0001>0002``, which no code takes for the revision it needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.db.types import TABLE

#: Between the two revisions of a migration that has begun.
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
    """Return what the row says; None: there is none, the database was never migrated."""
    if not sa.inspect(connection).has_table(_ROW.name):
        return None
    found: str | None = connection.execute(sa.select(_ROW)).scalar()
    return found


def require(connection: sa.Connection, needed: str, place: str) -> None:
    """Hold the tables at ``needed`` until the transaction ends; many may do so side by side.

    A migration's first change of this row waits for the end of all transactions that came
    through here, and those that come later wait for it, or read what it says.

    :param place: what to call the database in the message
    :raises ratekit.errors.Outdated: they are at another revision
    """
    query = sa.select(_ROW).with_for_update(read=True)
    found = connection.execute(query).scalar()
    if found != needed:
        raise errors.SchemaChanged(
            f"{place} was migrated to revision {found} while this ratekit, which needs {needed}, "
            "was running: stop it, and start a ratekit of the newer revision"
        )


def write(connection: sa.Connection, found: str | None, new: str | None) -> None:
    """Change the row from ``found`` to ``new``; None stands for no row."""
    if found is None:
        _METADATA.create_all(connection)
    if new is None:
        connection.execute(_ROW.delete())
    elif found is None:
        connection.execute(_ROW.insert().values(version_num=new))
    else:
        connection.execute(_ROW.update().values(version_num=new))
