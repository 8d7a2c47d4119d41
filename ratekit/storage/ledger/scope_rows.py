"""Reads the rows of ``scopes`` that an observation looks at, as plain tuples: they are many."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.storage.schema import SCOPES

_NAIVE = sa.DateTime()
_INSTANTS = ("rated_until", "last_seen", "retry_at", "deactivated_at")


class Row(NamedTuple):
    """A scope's row; fields are named after the columns.

    :ivar last_seen: when it was last listed, wherever that is stored
    """

    id: int
    scope_id: str
    name: str
    rated_until: datetime.datetime
    last_seen: datetime.datetime
    active: bool
    failures: int
    retry_at: datetime.datetime | None
    resets: int
    deactivated_at: datetime.datetime | None
    is_listed: bool


#: Instants as the database has them: SQLAlchemy would call a function for each to add the zone.
_QUERY = sa.select(
    *(
        sa.type_coerce(SCOPES.c[name], _NAIVE) if name in _INSTANTS else SCOPES.c[name]
        for name in Row._fields
    )
).order_by(SCOPES.c.id)


def read(
    connection: sa.Connection, scope_key: str, listed_at: datetime.datetime, lock: bool = False
) -> list[Row]:
    """Return all rows of one scope key, ordered by id.

    :param listed_at: as stored for the scope key, whose row must be locked
    :param lock: lock them, in this order, as commits do
    """
    query = _QUERY.where(SCOPES.c.scope_key == scope_key)
    if lock:
        query = query.with_for_update(key_share=True)
    aware = _AwareInstants()
    return [
        Row(
            scope_pk,
            scope_id,
            name,
            aware[until],
            listed_at if is_listed else aware[seen],
            active,
            failures,
            aware[retry_at],
            resets,
            aware[deactivated_at],
            is_listed,
        )
        for (
            scope_pk,
            scope_id,
            name,
            until,
            seen,
            active,
            failures,
            retry_at,
            resets,
            deactivated_at,
            is_listed,
        ) in connection.execute(query)
    ]


class _AwareInstants(dict[Any, Any]):
    """Instants in UTC by naive ones: scopes share most of them, so few are converted."""

    def __missing__(self, naive: datetime.datetime | None) -> datetime.datetime | None:
        self[naive] = aware = None if naive is None else naive.replace(tzinfo=datetime.UTC)
        return aware
