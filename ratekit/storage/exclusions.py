"""What was left out so that the rest could be rated: the rows of ``exclusions``."""

from __future__ import annotations

import datetime
from collections.abc import Collection

import sqlalchemy as sa

from ratekit.interfaces import RatedBatch
from ratekit.storage.engine import slices
from ratekit.storage.schema import EXCLUSIONS
from ratekit.storage.types import require_word, storable


def note(connection: sa.Connection, batch: RatedBatch, won: Collection[int]) -> None:
    """Note what a batch leaves out of the scopes of ``won``, whose rows are held locked.

    What was left out just before goes on; nothing is asked where nothing is left out.

    :raises ratekit.errors.OperatorError: the name of a metric is too long
    """
    keys = {state.scope.id: state.key for state in batch.states if state.key in won}
    left_out = {
        (keys[one.scope], one.metric, storable(one.resource)): one
        for one in batch.excluded
        if one.scope in keys
    }
    if not left_out:
        return
    lasting = _lasting(connection, {key for key, _, _ in left_out}, batch.window.begin)
    new, longer = [], []
    for place, one in sorted(left_out.items()):
        key, metric, resource = place
        require_word(metric)
        told = {"reason": storable(one.reason), "remedy": storable(one.remedy)}
        if place in lasting:
            longer.append({"row": lasting[place], **told})
            continue
        names = {"scope_id": key, "metric": metric, "resource": resource}
        new.append({**names, **told, "begin": batch.window.begin, "end": batch.window.end})
    if longer:
        statement = EXCLUSIONS.update().where(EXCLUSIONS.c.id == sa.bindparam("row"))
        connection.execute(statement.values(end=batch.window.end), longer)
    if new:
        connection.execute(EXCLUSIONS.insert(), new)


def forget(connection: sa.Connection, key: int, since: datetime.datetime) -> None:
    """Remove what was left out of a scope since an instant."""
    later = (EXCLUSIONS.c.scope_id == key) & (EXCLUSIONS.c.end > since)
    connection.execute(EXCLUSIONS.delete().where(later & (EXCLUSIONS.c.begin >= since)))
    connection.execute(EXCLUSIONS.update().where(later).values(end=since))


def _lasting(
    connection: sa.Connection, keys: Collection[int], until: datetime.datetime
) -> dict[tuple[int, str, str], int]:
    """Return the rows of scopes that end at ``until``, by scope, metric and resource."""
    table = EXCLUSIONS.c
    found: dict[tuple[int, str, str], int] = {}
    for some in slices(sorted(keys)):
        query = sa.select(table.scope_id, table.metric, table.resource, table.id)
        rows = connection.execute(query.where(table.scope_id.in_(some) & (table.end == until)))
        found.update({(key, metric, resource): row for key, metric, resource, row in rows})
    return found
