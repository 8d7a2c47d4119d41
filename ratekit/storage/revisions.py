"""Which revisions of the schema there are, and which one a database has.

Apart from :mod:`ratekit.storage.migrate`, because alembic takes longer to import than a report
takes to run.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

from ratekit import errors
from ratekit.storage.db import alembic_version, sqlite
from ratekit.storage.db.engine import Database

# What this and any later release calls its revisions.
_REVISION = re.compile(r"\d{4}")
_SCRIPTS = pathlib.Path(__file__).parent / "migrations" / "versions"


def current(url: str) -> str | None:
    """Return the database's revision, or None if it was never migrated.

    While a migration from 0001 to 0002 runs, or after it was interrupted, it is ``0001>0002``.

    :raises ratekit.errors.HostError: the database refuses
    :raises ratekit.errors.TryLater: the database did not answer
    """
    return _current(Database(url))


def revisions() -> Sequence[str]:
    """Return all revisions in this release, oldest first.

    :raises LookupError: ratekit was installed without them
    """
    names = sorted(path.name for path in _SCRIPTS.glob("[0-9]*_*.py"))
    if not names:
        raise LookupError("ratekit was installed without its migrations")
    return [name.partition("_")[0] for name in names]


def head() -> str:
    """Return the revision that this code needs."""
    return revisions()[-1]


def check(url: str) -> None:
    """Require that a database is at :func:`head`.

    :raises ratekit.errors.HostError: it is not; the message says what to do
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
    require_known(revision, database.place)
    if revision is None:
        raise errors.HostError(f"{database.place} has no tables; run ratekit-dbsync upgrade")
    if alembic_version.ARROW in revision:
        raise errors.HostError(
            f"{database.place} is in the middle of a migration ({revision}); wait for its end, or, "
            "if no migration process is running, run ratekit-dbsync upgrade again"
        )
    raise errors.HostError(
        f"{database.place} is at revision {revision}, this ratekit needs {head()}; "
        "run ratekit-dbsync upgrade"
    )


def require_known(revision: str | None, place: str) -> None:
    """Require that a database's revision is one of this release, or of a migration to one.

    :raises ratekit.errors.HostError: it is a newer ratekit's, or another program's
    """
    parts = set((revision or "").split(alembic_version.ARROW)) - {""}
    if not all(_REVISION.fullmatch(part) for part in parts):
        raise foreign(place, f"is at revision {revision} of another program")
    if not parts.issubset(revisions()):
        raise errors.HostError(
            f"{place} is at revision {revision}, which is newer than this ratekit ({head()}); "
            "install the newer ratekit here too"
        )


def foreign(place: str, reason: str) -> errors.HostError:
    """Return the error for a database that another program uses."""
    return errors.HostError(
        f"{place} {reason}; nothing was created: create an empty database for ratekit and name it "
        "in [database] connection"
    )


def _current(database: Database) -> str | None:
    # Reading must not create an empty file that belongs to the user who reads.
    if database.engine.dialect.name == "sqlite" and not sqlite.file_exists(database.engine.url):
        return None
    try:
        with database.reading() as connection:
            return alembic_version.read(connection)
    finally:
        database.close()
