"""The one row that says at which version the price rules are."""

from __future__ import annotations

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.schema import VERSIONS

_ROW = VERSIONS.c.id == 1
_QUERY = sa.select(VERSIONS.c.version).where(_ROW)


def read(connection: sa.Connection) -> int:
    """Return the version."""
    return int(connection.execute(_QUERY).scalar_one())


def require(connection: sa.Connection, version: int) -> None:
    """Hold the rules at ``version`` until the transaction ends; commits may do so side by side.

    :raises ratekit.errors.RulesChanged: they are at another
    """
    found = connection.execute(_QUERY.with_for_update(read=True)).scalar_one()
    if found != version:
        raise errors.RulesChanged(f"price rules are at version {found}, no longer at {version}")


def advance(connection: sa.Connection, version: int) -> int:
    """Move from ``version`` to the next, which is returned; others wait until the end.

    :raises ratekit.errors.OperatorError: somebody else has changed the rules
    """
    changed = connection.execute(
        VERSIONS.update().where(_ROW & (VERSIONS.c.version == version)).values(version=version + 1)
    )
    if changed.rowcount != 1:
        raise errors.OperatorError(
            f"the price rules were changed by somebody else since version {version}: "
            "nothing was written; look at them again"
        )
    return version + 1
