"""Move the revisions of resources to where the plan has them, in Gnocchi's database.

Gnocchi stamps a revision with the moment it hears of it, so to a request with
``use_history`` everything that was measured before is invisible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg

from tests.stack.errors import StackError
from tests.stack.plan import Resource
from tests.stack.postgres import Postgres

# Gnocchi keeps naive times in UTC.
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
     FROM resource_history) AS told
WHERE resource_history.revision = told.revision
    AND resource_history.id = planned.id AND told.number = planned.number
"""


def backdate(postgres: Postgres, resources: Iterable[Resource]) -> None:
    """Give every revision of ``resources`` the bounds that the plan has for it.

    :raises StackError: Gnocchi's database has other revisions than the plan
    """
    everything = list(resources)
    current = [(resource.id, resource.revisions[-1].begin) for resource in everything]
    former = [
        (resource.id, number, revision.begin, revision.end)
        for resource in everything
        for number, revision in enumerate(resource.revisions[:-1], start=1)
    ]
    try:
        with postgres.connect("gnocchi") as connection, connection.transaction():
            _update(connection, _CURRENT, current)
            _update(connection, _FORMER, former)
    except psycopg.Error as error:
        raise StackError(f"cannot set back Gnocchi's revisions: {error}") from error


def _update(
    connection: psycopg.Connection, statement: str, rows: Sequence[tuple[object, ...]]
) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    changed = connection.execute(statement.encode(), columns).rowcount
    if changed != len(rows):
        raise StackError(f"Gnocchi holds {changed} of {len(rows)} planned revisions")
