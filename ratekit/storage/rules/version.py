"""The version of the price rules: the only row of its table."""

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
    """Lock the rules at ``version`` until the transaction ends; the lock is shared.

    :raises ratekit.errors.RulesChanged: the rules are at another version
    """
    current = connection.execute(_QUERY.with_for_update(read=True)).scalar_one()
    if current != version:
        raise errors.RulesChanged(
            f"the price rules are at version {current}, no longer at version {version}"
        )


def advance(connection: sa.Connection, version: int) -> int:
    """Increase ``version`` by 1 and return it; the row stays locked until the transaction ends.

    :raises ratekit.errors.OutdatedRules: the rules are at another version
    """
    result = connection.execute(
        VERSIONS.update().where(_ROW & (VERSIONS.c.version == version)).values(version=version + 1)
    )
    if result.rowcount != 1:
        raise errors.OutdatedRules(
            f"the price rules have been changed by another process since version {version}; "
            "nothing was written: check the rules and repeat the command"
        )
    return version + 1
