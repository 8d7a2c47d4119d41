"""Set the times of resources' revisions to those of the plan, in Gnocchi's database.

Gnocchi gives a revision the time of the request that made it. A request with ``use_history``
would not see anything that was measured before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg

from tests.stack.errors import StackError
from tests.stack.plan import Resource
from tests.stack.postgres import Postgres

# Gnocchi stores naive times in UTC.
_CURRENT = """
UPDATE resource SET revision_start = planned.begin AT TIME ZONE 'UTC'
FROM unnest(%s::uuid[], %s::timestamptz[]) AS planned (id, begin)
WHERE resource.id = planned.id
"""
_FORMER = """
UPDATE resource_history SET
    revision_start = planned.begin AT TIME ZONE 'UTC',
    revision_end = planned.stop AT TIME ZONE 'UTC'
FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    AS planned (id, number, begin, stop),
    (SELECT revision, row_number() OVER (PARTITION BY id ORDER BY revision) AS number
     FROM resource_history) AS stored
WHERE resource_history.revision = stored.revision
    AND resource_history.id = planned.id AND stored.number = planned.number
"""


def backdate(postgres: Postgres, resources: Iterable[Resource]) -> None:
    """Give every revision of ``resources`` the times that it has in the plan.

    :raises StackError: Gnocchi's database has other revisions than the plan
    """
    planned = list(resources)
    current = [(resource.id, resource.revisions[-1].begin) for resource in planned]
    former = [
        (resource.id, number, revision.begin, revision.end)
        for resource in planned
        for number, revision in enumerate(resource.revisions[:-1], start=1)
    ]
    try:
        with postgres.connect("gnocchi") as connection, connection.transaction():
            _update(connection, _CURRENT, current)
            _update(connection, _FORMER, former)
    except psycopg.Error as error:
        raise StackError(f"cannot change the times of Gnocchi's revisions: {error}") from error


def _update(
    connection: psycopg.Connection, statement: str, rows: Sequence[tuple[object, ...]]
) -> None:
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    changed = connection.execute(statement.encode(), columns).rowcount
    if changed != len(rows):
        raise StackError(f"Gnocchi holds {changed} of {len(rows)} planned revisions")
