"""Writes lives into a real Gnocchi.

A resource is created as its newest record says, through the API; the older records and all
instants, which the API would set to now, are written into Gnocchi's database.
"""

from __future__ import annotations

import concurrent.futures
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from keystoneauth1.session import Session

from tests.oracle.lives import Life
from tests.oracle.model import Revision, as_datetime
from tests.stack.stack import Stack

TYPE = "oracle"
POLICY = "oracle"
METHODS = ("mean", "max", "min", "sum", "count", "last", "rate:mean")
WRITERS = 4
STALLED = 120.0
"""Seconds that metricd has for all measures without a sign of progress."""
_ATTRIBUTES = ("flavor", "size", "name")
_RESOURCES_A_REQUEST = 25

_HISTORY = """
INSERT INTO resource_history (id, type, creator, original_resource_id, project_id, user_id,
    started_at, ended_at, revision_start, revision_end)
SELECT resource.id, resource.type, resource.creator, resource.original_resource_id,
    record->>'project_id', record->>'user_id', (record->>'started_at')::timestamp,
    (record->>'ended_at')::timestamp, (record->>'start')::timestamp, (record->>'end')::timestamp
FROM jsonb_array_elements(%(records)s::jsonb) AS record
JOIN resource ON resource.id = (record->>'id')::uuid
"""
_HISTORY_ATTRIBUTES = """
INSERT INTO {table}_history (revision, flavor, size, name)
SELECT stored.revision, record->>'flavor', record->>'size', record->>'name'
FROM jsonb_array_elements(%(records)s::jsonb) AS record
JOIN resource_history AS stored ON stored.id = (record->>'id')::uuid
    AND stored.revision_start = (record->>'start')::timestamp
"""
_NEWEST = """
UPDATE resource SET revision_start = (record->>'start')::timestamp,
    started_at = (record->>'started_at')::timestamp, ended_at = (record->>'ended_at')::timestamp
FROM jsonb_array_elements(%(records)s::jsonb) AS record
WHERE resource.id = (record->>'id')::uuid
"""


def plant(cloud: Stack, lives: Sequence[Life]) -> None:
    """Write lives into Gnocchi, and wait until all measures are processed."""
    gnocchi = Gnocchi(cloud.admin_session(), cloud.gnocchi_url)
    gnocchi.prepare()
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(gnocchi.create, _chunks(lives)))
    gnocchi.wait()
    # At last, because metricd takes an end back when it processes a later measure.
    write_histories(cloud, lives)


class Gnocchi:
    """Gnocchi's API for an administrator."""

    def __init__(self, session: Session, url: str) -> None:
        self._session = session
        self._url = url

    def request(self, method: str, path: str, body: object = None, accepted: int = 0) -> Any:
        """Return the JSON of a response.

        :param accepted: an error status that means None
        """
        response = self._session.request(self._url + path, method, json=body, raise_exc=False)
        if response.status_code == accepted:
            return None
        assert response.ok, response.text
        return response.json() if response.content else None

    def prepare(self) -> None:
        """Create archive policy and resource type, unless they are there."""
        policy = {
            "name": POLICY,
            "back_window": 100,
            "definition": [
                {"granularity": 300, "points": 20_000},
                {"granularity": 3600, "points": 2_000},
            ],
            "aggregation_methods": METHODS,
        }
        self.request("POST", "/v1/archive_policy", policy, accepted=409)
        schema = {name: {"type": "string", "required": False} for name in _ATTRIBUTES}
        body = {"name": TYPE, "attributes": schema}
        self.request("POST", "/v1/resource_type", body, accepted=409)

    def create(self, lives: Iterable[Life]) -> None:
        """Create resources as their newest records say, and send their measures."""
        measures: dict[str, object] = {}
        for life in lives:
            newest = life.resource.revisions[-1]
            attributes = newest.attributes.items()
            body = {
                **{name: value for name, value in attributes if value is not None},
                "started_at": as_datetime(newest.started_at).isoformat(),
                "metrics": {name: {"archive_policy_name": POLICY} for name in life.measures},
            }
            ids = self.request("POST", f"/v1/resource/{TYPE}", body)["metrics"]
            for metric, samples in life.measures.items():
                measures[ids[metric]] = [
                    {"timestamp": as_datetime(at).isoformat(), "value": value}
                    for at, value in samples
                ]
        self.request("POST", "/v1/batch/metrics/measures", measures)

    def wait(self) -> None:
        """Wait until metricd has processed all measures."""
        deadline = time.monotonic() + STALLED
        while self.request("GET", "/v1/status?details=false")["storage"]["summary"]["metrics"]:
            assert time.monotonic() < deadline, "metricd does not process the measures"
            time.sleep(0.2)


def write_histories(cloud: Stack, lives: Iterable[Life]) -> None:
    """Give resources the records of their lives."""
    newest, former = [], []
    for life in lives:
        *older, last = life.resource.revisions
        newest.append(_record(last))
        former += [_record(revision) for revision in older]
    with connect(cloud) as connection, connection.transaction():
        row = connection.execute(
            "SELECT tablename FROM resource_type WHERE name = %s", [TYPE]
        ).fetchone()
        assert row is not None
        attributes = _HISTORY_ATTRIBUTES.format(table=row[0])
        for statement, records in (
            (_HISTORY, former),
            (attributes, former),
            (_NEWEST, newest),
        ):
            changed = connection.execute(statement.encode(), {"records": json.dumps(records)})
            assert changed.rowcount == len(records)


def connect(cloud: Stack) -> psycopg.Connection:
    """Connect to Gnocchi's database."""
    url = sa.make_url(cloud.database_url).set(drivername="postgresql", database="gnocchi")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def _record(revision: Revision) -> dict[str, str | None]:
    instants = {
        "start": revision.start,
        "end": revision.end,
        "started_at": revision.started_at,
        "ended_at": revision.ended_at,
    }
    # Gnocchi stores naive times in UTC.
    texts = {
        name: None if instant is None else as_datetime(instant).replace(tzinfo=None).isoformat()
        for name, instant in instants.items()
    }
    return {**revision.attributes, **texts}


def _chunks(lives: Sequence[Life]) -> Iterator[Sequence[Life]]:
    for start in range(0, len(lives), _RESOURCES_A_REQUEST):
        yield lives[start : start + _RESOURCES_A_REQUEST]
