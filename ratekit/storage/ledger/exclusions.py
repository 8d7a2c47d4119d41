"""What was left out so that the rest could be rated: the rows of ``exclusions``."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.storage.db.engine import slices
from ratekit.storage.db.types import require_word, storable
from ratekit.storage.schema import EXCLUSIONS


def note(
    connection: sa.Connection,
    keys: Mapping[str, int],
    window: Window,
    exclusions: Iterable[Exclusion],
) -> None:
    """Note what is left out of scopes over ``window``; their rows are held locked.

    What was left out just before goes on; nothing is asked where nothing is left out.

    :param keys: row id of each scope, by id; what is left out of others is passed over
    :raises ratekit.errors.OperatorError: the name of a metric is too long
    """
    left_out = {
        (keys[one.scope], one.metric, storable(one.resource)): one
        for one in exclusions
        if one.scope in keys
    }
    if not left_out:
        return
    lasting = _lasting(connection, {key for key, _, _ in left_out}, window.begin)
    new, longer = [], []
    for place, one in sorted(left_out.items()):
        key, metric, resource = place
        require_word(metric)
        told = {"reason": storable(one.reason), "remedy": storable(one.remedy)}
        if place in lasting:
            longer.append({"row": lasting[place], **told})
            continue
        names = {"scope_id": key, "metric": metric, "resource": resource}
        new.append({**names, **told, "begin": window.begin, "end": window.end})
    if longer:
        statement = EXCLUSIONS.update().where(EXCLUSIONS.c.id == sa.bindparam("row"))
        connection.execute(statement.values(end=window.end), longer)
    if new:
        connection.execute(EXCLUSIONS.insert(), new)


def forget(connection: sa.Connection, key: int, since: datetime.datetime) -> None:
    """Remove what was left out of a scope since an instant."""
    later = (EXCLUSIONS.c.scope_id == key) & (EXCLUSIONS.c.end > since)
    connection.execute(EXCLUSIONS.delete().where(later & (EXCLUSIONS.c.begin >= since)))
    connection.execute(EXCLUSIONS.update().where(later).values(end=since))


def cut_out(connection: sa.Connection, key: int, stretch: Window) -> None:
    """Remove what was left out of a scope over a stretch; before and after it stays so."""
    table = EXCLUSIONS.c
    touching = (table.scope_id == key) & (table.begin < stretch.end) & (table.end > stretch.begin)
    rows = connection.execute(sa.select(EXCLUSIONS).where(touching)).mappings().all()
    rest = [
        {**row, "begin": begin, "end": end}
        for row in rows
        for begin, end in ((row["begin"], stretch.begin), (stretch.end, row["end"]))
        if begin < end
    ]
    connection.execute(EXCLUSIONS.delete().where(touching))
    if rest:
        names = [column.name for column in EXCLUSIONS.c if column.name != "id"]
        connection.execute(
            EXCLUSIONS.insert(), [{name: one[name] for name in names} for one in rest]
        )


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
