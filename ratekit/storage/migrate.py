"""Bringing a database to the shape this code needs, and telling whether it has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from ratekit import errors
from ratekit.storage.db import alembic_version, sqlite
from ratekit.storage.db.engine import Database
from ratekit.storage.migrations import steps

# Any number, as long as all processes that migrate use the same.
_LOCK = 7283545
# MariaDB and MySQL: the longest wait, in seconds; names of locks hold for the whole server.
_GET_LOCK = f"SELECT GET_LOCK(CONCAT('ratekit.', SHA1(DATABASE())), {365 * 24 * 3600})"


def upgrade(url: str) -> None:
    """Bring the database to the newest revision; creates an SQLite file that is not there.

    Doing it twice, or on several hosts at once, does no harm. Processors that run meanwhile
    cannot write: see :func:`move`.

    :raises ratekit.errors.OperatorError: the database refuses, or is newer than this code
    :raises ratekit.errors.TryLater: it did not answer
    """
    database = Database(url, patient=True)
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            elif connection.dialect.name == "mysql":
                connection.exec_driver_sql(_GET_LOCK)
            _require_known(alembic_version.read(connection), database.place)
            move(connection, head())
    finally:
        database.close()


def move(connection: sa.Connection, target: str | None) -> None:
    """Walk from the database's revision to ``target``, up or down; None: to no tables.

    Each migration begins by writing into ``alembic_version`` that it is under way. That waits
    for all transactions that were promised the old revision, and keeps new ones out: see
    :func:`ratekit.storage.db.alembic_version.require`. On PostgreSQL and SQLite all is one
    transaction.
    On MariaDB and MySQL, where each change of a table commits, that first write is committed
    by the first change: if this process dies half-way, the row goes on saying so, processors
    go on refusing, and the next call runs that migration again from its begin.

    What remains on MariaDB and MySQL: a migration may not change the same rows in two ways
    between two changes of tables, since it could be run twice over them.

    :raises ValueError: there is no such revision
    """
    found = alembic_version.read(connection)
    begun, _, aim = (found or "").partition(alembic_version.ARROW)
    context = MigrationContext.configure(connection, opts={steps.RESUMED: bool(aim)})
    for step in _path(begun or None, target):
        mark = f"{step.before or ''}{alembic_version.ARROW}{step.after or ''}"
        alembic_version.write(connection, found, mark)
        with Operations.context(context):
            step.run()
        alembic_version.write(connection, mark, step.after)
        found = step.after
        context.opts[steps.RESUMED] = False


def current(url: str) -> str | None:
    """Return the database's revision, or None if it was never migrated.

    While a migration from 0001 to 0002 is under way, or after it was killed: ``0001>0002``.

    :raises ratekit.errors.OperatorError: the database refuses
    :raises ratekit.errors.TryLater: it did not answer
    """
    return _current(Database(url))


def revisions() -> Sequence[str]:
    """Return all revisions that this code knows, oldest first."""
    return [script.revision for script in _scripts()]


def head() -> str:
    """Return the revision that this code needs."""
    return revisions()[-1]


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
    found = _current(database)
    if found == head():
        return
    _require_known(found, database.place)
    if found is None:
        raise errors.OperatorError(
            f"{database.place} has no tables yet: run ratekit-dbsync upgrade"
        )
    if alembic_version.ARROW in found:
        raise errors.OperatorError(
            f"{database.place} is in the middle of a migration ({found}): wait for its end, or, "
            "if nobody is at it any more, run ratekit-dbsync upgrade again"
        )
    raise errors.OperatorError(
        f"{database.place} is at revision {found}, this ratekit needs {head()}: "
        "run ratekit-dbsync upgrade"
    )


def _scripts() -> list[Script]:
    """Return all migrations, oldest first.

    :raises LookupError: ratekit was installed without them
    """
    config = Config()
    config.set_main_option("script_location", "ratekit.storage:migrations")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    if not scripts:
        raise LookupError("ratekit was installed without its migrations")
    return scripts


class _Step(NamedTuple):
    """One migration, up or down; None: no tables."""

    run: Callable[[], None]
    before: str | None
    after: str | None


def _path(found: str | None, target: str | None) -> list[_Step]:
    """Return the migrations on the way."""
    scripts = _scripts()
    at: list[str | None] = [None, *(script.revision for script in scripts)]
    begin, end = at.index(found), at.index(target)
    if begin <= end:
        return [
            _Step(scripts[number].module.upgrade, at[number], at[number + 1])
            for number in range(begin, end)
        ]
    return [
        _Step(scripts[number].module.downgrade, at[number + 1], at[number])
        for number in reversed(range(end, begin))
    ]


def _current(database: Database) -> str | None:
    # Looking must not leave an empty file behind, owned by whoever looked.
    if database.engine.dialect.name == "sqlite" and not sqlite.is_there(database.engine.url):
        return None
    try:
        with database.reading() as connection:
            return alembic_version.read(connection)
    finally:
        database.close()


def _require_known(found: str | None, place: str) -> None:
    """Refuse a database that a newer ratekit has migrated, or begun to."""
    known = revisions()
    for one in (found or "").split(alembic_version.ARROW):
        if one and one not in known:
            raise errors.OperatorError(
                f"{place} is at revision {found}, which is newer than this ratekit "
                f"({known[-1]}): install the newer ratekit here as well"
            )
