"""Which metrics a scope is rated by: what tells silence from not having asked."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import sqlalchemy as sa

from ratekit.storage.dialects import insert_new
from ratekit.storage.schema import METRIC_SET_CHANGES, METRIC_SETS, SCOPES
from ratekit.storage.types import require_word

#: Digest of the set that is in force for a scope's row. Not its id: that may stand for
#: another set when the database was restored from a backup.
IN_FORCE = (
    sa.select(METRIC_SETS.c.digest)
    .where(METRIC_SETS.c.id == SCOPES.c.metric_set_id)
    .scalar_subquery()
)


class MetricSet(NamedTuple):
    """A set of metrics; equal digests mean equal sets.

    :ivar digest: SHA-256 of ``names``
    :ivar names: canonical JSON of the public names: sorted, each once, ASCII
    """

    digest: bytes
    names: str

    @classmethod
    def of(cls, metrics: Iterable[str]) -> Self:
        """Return the set of these public names.

        :raises ratekit.errors.OperatorError: one of them is too long
        """
        known = sorted(set(metrics))
        for name in known:
            require_word(name)
        names = json.dumps(known, separators=(",", ":"))
        return cls(hashlib.sha256(names.encode("ascii")).digest(), names)


def members(names: str) -> frozenset[str]:
    """Return the public names that a set's JSON holds."""
    return frozenset(json.loads(names))


def change(
    connection: sa.Connection, metrics: MetricSet, keys: Sequence[int], begin: datetime.datetime
) -> int:
    """Note that scopes, locked, are rated by ``metrics`` from ``begin`` on; return its id."""
    query = sa.select(METRIC_SETS.c.id).where(METRIC_SETS.c.digest == metrics.digest)
    number = connection.execute(query).scalar()
    if number is None:
        insert_new(connection, METRIC_SETS, [metrics._asdict()])
        number = connection.execute(query).scalar_one()
    rows = [{"scope_id": key, "begin": begin, "metric_set_id": number} for key in keys]
    connection.execute(METRIC_SET_CHANGES.insert(), rows)
    return int(number)


def forget(connection: sa.Connection, key: int, since: datetime.datetime) -> int | None:
    """Remove a scope's changes since an instant; return the id of the set in force there."""
    mine = METRIC_SET_CHANGES.c.scope_id == key
    later = mine & (METRIC_SET_CHANGES.c.begin >= since)
    connection.execute(METRIC_SET_CHANGES.delete().where(later))
    newest = METRIC_SET_CHANGES.c.begin.desc()
    query = sa.select(METRIC_SET_CHANGES.c.metric_set_id).where(mine).order_by(newest).limit(1)
    return connection.execute(query).scalar()
