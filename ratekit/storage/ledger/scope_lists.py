"""The rows of ``scope_lists``: when scopes were last listed, once for all in the newest list."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from ratekit.storage.db.dialects import insert_new
from ratekit.storage.schema import SCOPE_LISTS, SCOPES

#: When a scope was last listed.
LAST_SEEN = sa.case(
    (
        SCOPES.c.is_listed,
        sa.select(SCOPE_LISTS.c.listed_at)
        .where(SCOPE_LISTS.c.scope_key == SCOPES.c.scope_key)
        .scalar_subquery(),
    ),
    else_=SCOPES.c.last_seen,
).label("last_seen")


def lock(connection: sa.Connection, scope_key: str, now: datetime.datetime) -> datetime.datetime:
    """Lock the row of a scope key; return the newest instant at which its scopes were listed.

    Only :func:`ratekit.storage.ledger.observing.observe` locks it, before it locks scopes.

    :param now: is stored and returned if there is no row yet
    """
    query = sa.select(SCOPE_LISTS.c.listed_at).where(SCOPE_LISTS.c.scope_key == scope_key)
    query = query.with_for_update(key_share=True)
    listed_at = connection.execute(query).scalar()
    if listed_at is None:
        insert_new(connection, SCOPE_LISTS, [{"scope_key": scope_key, "listed_at": now}])
        listed_at = connection.execute(query).scalar_one()
    instant: datetime.datetime = listed_at
    return instant


def write(connection: sa.Connection, scope_key: str, listed_at: datetime.datetime) -> None:
    """Record the instant of the newest list."""
    statement = SCOPE_LISTS.update().where(SCOPE_LISTS.c.scope_key == scope_key)
    connection.execute(statement.values(listed_at=listed_at))
