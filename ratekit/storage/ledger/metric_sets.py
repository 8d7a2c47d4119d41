"""Which metrics a scope is rated by: what tells silence from not having asked."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.engine import slices
from ratekit.storage.db.types import require_word
from ratekit.storage.schema import METRIC_SET_CHANGES, METRIC_SETS, SCOPES

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
    connection: sa.Connection, metrics: MetricSet, keys: Sequence[int], window: Window
) -> int:
    """Note that scopes, locked, are rated by ``metrics`` as in ``window`` from its begin on.

    :returns: the set's id
    """
    number = _number(connection, metrics)
    common = {"begin": window.begin, "metric_set_id": number, "period_seconds": seconds(window)}
    rows = [{"scope_id": key, **common} for key in keys]
    connection.execute(METRIC_SET_CHANGES.insert(), rows)
    return number


def seconds(window: Window) -> int:
    """Return the length of its periods, as databases keep it."""
    return int(window.step.total_seconds())


def lengths(
    connection: sa.Connection, key: int, begin: datetime.datetime, end: datetime.datetime
) -> frozenset[datetime.timedelta]:
    """Return how long the periods were in which a scope was rated over a stretch of its past.

    Where it was not noted, they are taken to have been as long as the last ones.
    """
    table, mine = METRIC_SET_CHANGES, METRIC_SET_CHANGES.c.scope_id == key
    first = _newest(connection, mine & (table.c.begin <= begin))
    later = mine & (table.c.begin > begin) & (table.c.begin < end)
    found = set(connection.execute(sa.select(table.c.period_seconds).where(later)).scalars())
    found.add(None if first is None else first.period_seconds)
    if None in found:
        last = sa.select(SCOPES.c.period_seconds).where(SCOPES.c.id == key)
        found.add(connection.execute(last).scalar())
    return frozenset(datetime.timedelta(seconds=one) for one in found if one is not None)


def ever_otherwise(connection: sa.Connection, keys: Sequence[int], length: int) -> frozenset[int]:
    """Return those scopes that were ever rated in periods of another length than this.

    :param length: in seconds
    """
    found: set[int] = set()
    other = METRIC_SET_CHANGES.c.period_seconds != length
    noted = sa.select(METRIC_SET_CHANGES.c.scope_id).where(other)
    for some in slices(keys):
        mine = sa.select(SCOPES.c.id).where(SCOPES.c.id.in_(some))
        query = mine.where((SCOPES.c.period_seconds != length) | SCOPES.c.id.in_(noted))
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def require_length(connection: sa.Connection, key: int, stretch: Window) -> None:
    """Refuse to collect anew what was rated in periods of another length.

    A longer one would be charged beside shorter ones that it is made of. Those that make up
    one of the new length are replaced as a whole.

    :raises ratekit.errors.OperatorError: it was
    """
    known = lengths(connection, key, stretch.begin, stretch.end)
    others = {one for one in known if stretch.step % one}
    if others:
        raise errors.OperatorError(
            f"{stretch} was rated in periods of {' and '.join(map(str, sorted(others)))}, not of "
            f"{stretch.step}: --rates-only prices them anew, scope reset rates them again"
        )


def splice(
    connection: sa.Connection,
    metrics: MetricSet,
    key: int,
    stretch: Window,
    rated_until: datetime.datetime,
) -> None:
    """Note that a scope, locked, was rated anew by ``metrics`` over a stretch of its past.

    By what it was rated before and after stays as it was; where it is not known after, it is
    not noted for the stretch either, since it could not be told where that ends.
    """
    table, mine = METRIC_SET_CHANGES, METRIC_SET_CHANGES.c.scope_id == key
    after = _newest(connection, mine & (table.c.begin <= stretch.end))
    if after is None:
        return
    number = _number(connection, metrics)
    within = mine & (table.c.begin >= stretch.begin) & (table.c.begin < stretch.end)
    connection.execute(table.delete().where(within))
    before = _newest(connection, mine & (table.c.begin < stretch.begin))
    rows = []
    if before is None or before.metric_set_id != number:
        own = {"begin": stretch.begin, "metric_set_id": number}
        rows.append({"scope_id": key, **own, "period_seconds": seconds(stretch)})
    if stretch.end == rated_until:
        # Here a commit notes its own, if that is another.
        in_force = SCOPES.update().where(SCOPES.c.id == key)
        connection.execute(in_force.values(metric_set_id=number))
    elif after.begin < stretch.end and after.metric_set_id != number:
        old = {"begin": stretch.end, "metric_set_id": after.metric_set_id}
        rows.append({"scope_id": key, **old, "period_seconds": after.period_seconds})
    if rows:
        connection.execute(table.insert(), rows)


def forget(
    connection: sa.Connection, key: int, since: datetime.datetime
) -> tuple[int | None, int | None]:
    """Remove a scope's changes since an instant.

    :returns: id of the set in force there and length of the periods in seconds, if known
    """
    mine = METRIC_SET_CHANGES.c.scope_id == key
    later = mine & (METRIC_SET_CHANGES.c.begin >= since)
    connection.execute(METRIC_SET_CHANGES.delete().where(later))
    newest = _newest(connection, mine)
    return (None, None) if newest is None else (newest.metric_set_id, newest.period_seconds)


def _newest(connection: sa.Connection, which: sa.ColumnElement[bool]) -> sa.Row[Any] | None:
    query = sa.select(METRIC_SET_CHANGES).where(which)
    return connection.execute(query.order_by(METRIC_SET_CHANGES.c.begin.desc()).limit(1)).first()


def _number(connection: sa.Connection, metrics: MetricSet) -> int:
    """Return the id of a set, which is stored if it is new."""
    query = sa.select(METRIC_SETS.c.id).where(METRIC_SETS.c.digest == metrics.digest)
    number = connection.execute(query).scalar()
    if number is None:
        insert_new(connection, METRIC_SETS, [metrics._asdict()])
        number = connection.execute(query).scalar_one()
    return int(number)
