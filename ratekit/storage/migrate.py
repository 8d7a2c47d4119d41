"""Bringing a database to the shape this code needs, and telling whether it has it."""

from __future__ import annotations

import pathlib

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ratekit import errors
from ratekit.storage.engine import Database

# Any number, as long as all processes that migrate use the same.
_LOCK = 7283545


def upgrade(url: str) -> None:
    """Bring the database to the newest revision; creates an SQLite file that is not there.

    Doing it twice, or on several hosts at once, does no harm.

    :raises ratekit.errors.OperatorError: the database refuses, or is newer than this code
    :raises ratekit.errors.TryLater: it did not answer
    """
    database = Database(url, patient=True)
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            _require_known(_revision(connection), database.place)
            command.upgrade(configuration(connection), "head")
    finally:
        database.close()


def current(url: str) -> str | None:
    """Return the database's revision, or None if it was never migrated.

    :raises ratekit.errors.OperatorError: the database refuses
    :raises ratekit.errors.TryLater: it did not answer
    """
    return _current(Database(url))


def head() -> str:
    """Return the revision that this code needs."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    if revision is None:
        raise LookupError("ratekit was installed without its migrations")
    return revision


def check(url: str) -> None:
    """Refuse a database that is not at :func:`head`.

    :raises ratekit.errors.OperatorError: it is not; the message says what to do
    :raises ratekit.errors.TryLater: it did not answer
    """
    require_head(Database(url))


def require_head(database: Database) -> None:
    """Do as :func:`check` for a database that is to be used; leaves no connection open.

    :raises: as :func:`check`
    """
    revision = _current(database)
    if revision == head():
        return
    _require_known(revision, database.place)
    if revision is None:
        raise errors.OperatorError(
            f"{database.place} has no tables yet: run ratekit-dbsync upgrade"
        )
    raise errors.OperatorError(
        f"{database.place} is at revision {revision}, this ratekit needs {head()}: "
        "run ratekit-dbsync upgrade"
    )


def configuration(connection: sa.Connection | None = None) -> Config:
    """Return what alembic's commands need to work on ``connection``, in its transaction."""
    config = Config()
    config.set_main_option("script_location", "ratekit.storage:migrations")
    config.attributes["connection"] = connection
    return config


def _current(database: Database) -> str | None:
    name = database.engine.url.database
    # Looking must not leave an empty file behind, owned by whoever looked.
    if database.engine.dialect.name == "sqlite" and name and not pathlib.Path(name).exists():
        return None
    try:
        with database.reading() as connection:
            return _revision(connection)
    finally:
        database.close()


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(revision: str | None, place: str) -> None:
    """Refuse a database that a newer ratekit has migrated."""
    script = ScriptDirectory.from_config(configuration())
    known = {one.revision for one in script.walk_revisions()}
    if revision is not None and revision not in known:
        raise errors.OperatorError(
            f"{place} is at revision {revision}, which is newer than this ratekit "
            f"({script.get_current_head()}): install the newer ratekit here as well"
        )
