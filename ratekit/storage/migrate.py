"""Migrates databases to the schema that this code needs, and checks that they have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from ratekit import errors
from ratekit.storage.db import alembic_version, galera, sqlite
from ratekit.storage.db.engine import Database
from ratekit.storage.migrations import steps
from ratekit.storage.schema import METADATA

# Any number, but the same in all processes that migrate.
_LOCK = 7283545
# What this and any later release calls its revisions.
_REVISION = re.compile(r"\d{4}")
# CloudKitty has some tables of the same names: hashmap_services, for example.
_CLOUDKITTY = "cloudkitty_alembic"
# MariaDB and MySQL: the name of a lock is valid for the whole server; it may wait for a year.
_GET_LOCK = f"SELECT GET_LOCK(CONCAT('ratekit.', SHA1(DATABASE())), {365 * 24 * 3600})"


def upgrade(url: str) -> None:
    """Migrate the database to the newest revision; create a missing SQLite file.

    It is safe to call this again, or on several hosts at the same time. Processors that run
    meanwhile cannot write: see :func:`move`.

    :raises ratekit.errors.OperatorError: the database refuses, or is newer than this code
    :raises ratekit.errors.TryLater: the database did not answer
    """
    database = Database(url, patient=True)
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            elif connection.dialect.name == "mysql":
                connection.exec_driver_sql(_GET_LOCK)
            revision = alembic_version.read(connection)
            _require_known(revision, database.place)
            if revision is None:
                _require_no_tables(connection, database.place)
            move(connection, head())
    finally:
        database.close()


def move(connection: sa.Connection, target: str | None) -> None:
    """Migrate from the database's revision to ``target``, up or down; None: no tables.

    Each migration first records in ``alembic_version`` that it runs. This waits for all
    transactions that require the old revision, and blocks new ones: see
    :func:`ratekit.storage.db.alembic_version.require`. On PostgreSQL and SQLite everything is one
    transaction. On MariaDB and MySQL each change of a table commits, so the first one commits
    the record, too: if this process dies, the record stays, processors still refuse to write,
    and the next call runs the same migration again from its start.

    Therefore, on MariaDB and MySQL, a migration must not change the same rows in two ways between
    two changes of tables: it may run over them twice.

    :raises ValueError: there is no such revision
    """
    revision = alembic_version.read(connection)
    start, _, interrupted_target = (revision or "").partition(alembic_version.ARROW)
    opts = {steps.RESUMED: bool(interrupted_target)}
    context = MigrationContext.configure(connection, opts=opts)
    for step in _path(start or None, target):
        mark = f"{step.before or ''}{alembic_version.ARROW}{step.after or ''}"
        alembic_version.write(connection, revision, mark)
        galera.exclude_writers(connection)
        with Operations.context(context):
            step.run()
        alembic_version.write(connection, mark, step.after)
        revision = step.after
        context.opts[steps.RESUMED] = False


def current(url: str) -> str | None:
    """Return the database's revision, or None if it was never migrated.

    While a migration from 0001 to 0002 runs, or after it was interrupted, it is ``0001>0002``.

    :raises ratekit.errors.OperatorError: the database refuses
    :raises ratekit.errors.TryLater: the database did not answer
    """
    return _current(Database(url))


def revisions() -> Sequence[str]:
    """Return all revisions in this release, oldest first."""
    return [script.revision for script in _scripts()]


def head() -> str:
    """Return the revision that this code needs."""
    return revisions()[-1]


def check(url: str) -> None:
    """Require that a database is at :func:`head`.

    :raises ratekit.errors.OperatorError: it is not; the message says what to do
    :raises ratekit.errors.TryLater: the database did not answer
    """
    require_head(Database(url))


def require_head(database: Database) -> None:
    """Check as :func:`check` does; leave no connection open.

    :raises: as :func:`check`
    """
    revision = _current(database)
    if revision == head():
        return
    _require_known(revision, database.place)
    if revision is None:
        raise errors.OperatorError(f"{database.place} has no tables; run ratekit-dbsync upgrade")
    if alembic_version.ARROW in revision:
        raise errors.OperatorError(
            f"{database.place} is in the middle of a migration ({revision}); wait for its end, or, "
            "if no migration process is running, run ratekit-dbsync upgrade again"
        )
    raise errors.OperatorError(
        f"{database.place} is at revision {revision}, this ratekit needs {head()}; "
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
    """One migration, up or down; a revision None stands for no tables."""

    run: Callable[[], None]
    before: str | None
    after: str | None


def _path(start: str | None, target: str | None) -> list[_Step]:
    """Return the migrations from ``start`` to ``target``, in order."""
    scripts = _scripts()
    ids: list[str | None] = [None, *(script.revision for script in scripts)]
    begin, end = ids.index(start), ids.index(target)
    if begin <= end:
        return [
            _Step(scripts[number].module.upgrade, ids[number], ids[number + 1])
            for number in range(begin, end)
        ]
    return [
        _Step(scripts[number].module.downgrade, ids[number + 1], ids[number])
        for number in reversed(range(end, begin))
    ]


def _current(database: Database) -> str | None:
    # Reading must not create an empty file that belongs to the user who reads.
    if database.engine.dialect.name == "sqlite" and not sqlite.file_exists(database.engine.url):
        return None
    try:
        with database.reading() as connection:
            return alembic_version.read(connection)
    finally:
        database.close()


def _require_known(revision: str | None, place: str) -> None:
    """:raises ratekit.errors.OperatorError: it is a newer ratekit's, or another program's."""
    parts = set((revision or "").split(alembic_version.ARROW)) - {""}
    if not all(_REVISION.fullmatch(part) for part in parts):
        raise _foreign(place, f"is at revision {revision} of another program")
    if not parts.issubset(revisions()):
        raise errors.OperatorError(
            f"{place} is at revision {revision}, which is newer than this ratekit ({head()}); "
            "install the newer ratekit here too"
        )


def _require_no_tables(connection: sa.Connection, place: str) -> None:
    """:raises ratekit.errors.OperatorError: another program has tables that ratekit would make."""
    tables = set(sa.inspect(connection).get_table_names())
    if _CLOUDKITTY in tables:
        raise _foreign(place, "is CloudKitty's database")
    if conflicts := sorted(tables & METADATA.tables.keys()):
        raise _foreign(place, f"has tables of another program ({', '.join(conflicts)})")


def _foreign(place: str, reason: str) -> errors.OperatorError:
    return errors.OperatorError(
        f"{place} {reason}; nothing was created: create an empty database for ratekit and name it "
        "in [database] connection"
    )
