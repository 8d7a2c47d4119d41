"""Migrates databases to the schema that this code needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from ratekit.storage.db import alembic_version, galera
from ratekit.storage.db.engine import Database
from ratekit.storage.migrations import steps
from ratekit.storage.revisions import foreign, head, require_known
from ratekit.storage.schema import METADATA

# Any number, but the same in all processes that migrate.
_LOCK = 7283545
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
            require_known(revision, database.place)
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
    start, arrow, interrupted_target = (revision or "").partition(alembic_version.ARROW)
    context = MigrationContext.configure(connection, opts={steps.RESUMED: bool(arrow)})
    path = _path(start or None, target)
    if arrow:
        # What was interrupted is ended first, whether it was up or down.
        middle = interrupted_target or None
        path = [*_path(start or None, middle), *_path(middle, target)]
    for step in path:
        mark = f"{step.before or ''}{alembic_version.ARROW}{step.after or ''}"
        alembic_version.write(connection, revision, mark)
        galera.exclude_writers(connection)
        with Operations.context(context):
            step.run()
        alembic_version.write(connection, mark, step.after)
        revision = step.after
        context.opts[steps.RESUMED] = False


def _scripts() -> list[Script]:
    """Return all migrations, oldest first."""
    config = Config()
    config.set_main_option("script_location", "ratekit.storage:migrations")
    return list(ScriptDirectory.from_config(config).walk_revisions())[::-1]


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


def _require_no_tables(connection: sa.Connection, place: str) -> None:
    """:raises ratekit.errors.OperatorError: another program has tables that ratekit would make."""
    tables = set(sa.inspect(connection).get_table_names())
    if _CLOUDKITTY in tables:
        raise foreign(place, "is CloudKitty's database")
    if conflicts := sorted(tables & METADATA.tables.keys()):
        raise foreign(place, f"has tables of another program ({', '.join(conflicts)})")
