"""Metrics by which scopes are rated: they distinguish silence from usage not collected."""

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
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import require_word
from ratekit.storage.schema import METRIC_SET_CHANGES, METRIC_SETS, SCOPES
from ratekit.text import duration_text

#: Digest of the set in force for a scope's row. Not the set's id: after a restore from a backup
#: it may belong to another set.
IN_FORCE = (
    sa.select(METRIC_SETS.c.digest)
    .where(METRIC_SETS.c.id == SCOPES.c.metric_set_id)
    .scalar_subquery()
)


class MetricSet(NamedTuple):
    """A set of metrics; sets are equal if their digests are.

    :ivar digest: SHA-256 of ``names``
    :ivar names: canonical JSON of the public names: sorted, unique, ASCII
    """

    digest: bytes
    names: str

    @classmethod
    def of(cls, metrics: Iterable[str]) -> Self:
        """Return the set of these public names.

        :raises ratekit.errors.OperatorError: one of them is too long
        """
        names = sorted(set(metrics))
        for name in names:
            require_word(name)
        text = json.dumps(names, separators=(",", ":"))
        return cls(hashlib.sha256(text.encode("ascii")).digest(), text)


def members(names: str) -> frozenset[str]:
    """Return the public names in a set's JSON."""
    return frozenset(json.loads(names))


def id_of(metrics: MetricSet) -> sa.ScalarSelect[int]:
    """Return a query, for use within a statement, for the id of a set; NULL: it is not stored."""
    return (
        sa.select(METRIC_SETS.c.id).where(METRIC_SETS.c.digest == metrics.digest).scalar_subquery()
    )


def change(
    connection: sa.Connection,
    metrics: MetricSet,
    is_stored: bool,
    scope_pks: Sequence[int],
    window: Window,
) -> None:
    """Record that scopes, locked, are rated by ``metrics`` from the window's begin on.

    :param is_stored: the set exists
    :param window: its periods have the new length
    """
    if not is_stored:
        insert_new(connection, METRIC_SETS, [metrics._asdict()])
    table = METRIC_SET_CHANGES
    names = ["scope_id", "begin", "metric_set_id", "period_seconds"]
    begin = sa.literal(window.begin, table.c.begin.type)
    rows = sa.select(SCOPES.c.id, begin, id_of(metrics), sa.literal(seconds(window)))
    rows = rows.where(in_list(SCOPES.c.id, scope_pks))
    connection.execute(table.insert().from_select(names, rows))


def seconds(window: Window) -> int:
    """Return the length of a window's periods as stored in databases."""
    return int(window.step.total_seconds())


def lengths(
    connection: sa.Connection, scope_pk: int, begin: datetime.datetime, end: datetime.datetime
) -> frozenset[datetime.timedelta]:
    """Return the lengths of the periods in which a scope was rated from ``begin`` to ``end``.

    Where no length is recorded, the length of the scope's last periods is returned.
    """
    table, of_scope = METRIC_SET_CHANGES, METRIC_SET_CHANGES.c.scope_id == scope_pk
    first = _newest(connection, of_scope & (table.c.begin <= begin))
    later = of_scope & (table.c.begin > begin) & (table.c.begin < end)
    numbers = set(connection.execute(sa.select(table.c.period_seconds).where(later)).scalars())
    numbers.add(None if first is None else first.period_seconds)
    if None in numbers:
        last = sa.select(SCOPES.c.period_seconds).where(SCOPES.c.id == scope_pk)
        numbers.add(connection.execute(last).scalar())
    return frozenset(datetime.timedelta(seconds=number) for number in numbers if number is not None)


def find_other_lengths(
    connection: sa.Connection, scope_pks: Sequence[int], length: int
) -> frozenset[int]:
    """Return the scopes that were ever rated in periods of another length than ``length``.

    :param length: in seconds
    """
    differs = METRIC_SET_CHANGES.c.period_seconds != length
    changes = sa.select(METRIC_SET_CHANGES.c.scope_id).where(differs)
    query = sa.select(SCOPES.c.id).where(in_list(SCOPES.c.id, scope_pks))
    query = query.where((SCOPES.c.period_seconds != length) | SCOPES.c.id.in_(changes))
    return frozenset(connection.execute(query).scalars())


def require_length(connection: sa.Connection, scope_pk: int, window: Window) -> None:
    """Require that usage can be collected again in the window's periods.

    Shorter old periods that exactly make up a new period are replaced as a whole. Any other old
    period would be charged in addition to the new ones.

    :raises ratekit.errors.OperatorError: the scope was rated in periods of such a length
    """
    old_lengths = lengths(connection, scope_pk, window.begin, window.end)
    conflicts = sorted(length for length in old_lengths if window.step % length)
    if conflicts:
        raise errors.OperatorError(
            f"{window} was rated in periods of {' and '.join(map(duration_text, conflicts))}, not "
            f"of {duration_text(window.step)}; to price them again, use --rates-only; to rate them "
            "again, use ratekit scope reset"
        )


def splice(
    connection: sa.Connection,
    metrics: MetricSet,
    scope_pk: int,
    window: Window,
    rated_until: datetime.datetime,
) -> None:
    """Record that a scope, locked, was rated again by ``metrics`` over a window of its past.

    What is recorded before and after the window stays. If nothing is recorded after it, nothing
    is recorded for the window either, because its end could not be recorded.
    """
    table, of_scope = METRIC_SET_CHANGES, METRIC_SET_CHANGES.c.scope_id == scope_pk
    after = _newest(connection, of_scope & (table.c.begin <= window.end))
    if after is None:
        return
    set_id = _store(connection, metrics)
    within = of_scope & (table.c.begin >= window.begin) & (table.c.begin < window.end)
    connection.execute(table.delete().where(within))
    before = _newest(connection, of_scope & (table.c.begin < window.begin))
    rows = []
    if before is None or before.metric_set_id != set_id:
        new = {"begin": window.begin, "metric_set_id": set_id}
        rows.append({"scope_id": scope_pk, **new, "period_seconds": seconds(window)})
    if window.end == rated_until:
        # The next commit records its own set here, if it differs.
        in_force = SCOPES.update().where(SCOPES.c.id == scope_pk)
        connection.execute(in_force.values(metric_set_id=set_id))
    elif after.begin < window.end and after.metric_set_id != set_id:
        old = {"begin": window.end, "metric_set_id": after.metric_set_id}
        rows.append({"scope_id": scope_pk, **old, "period_seconds": after.period_seconds})
    if rows:
        connection.execute(table.insert(), rows)


def remove_since(
    connection: sa.Connection, scope_pk: int, since: datetime.datetime
) -> tuple[int | None, int | None]:
    """Remove a scope's changes since an instant.

    :returns: id of the set in force at that instant, and length of the periods in seconds, if
        recorded
    """
    of_scope = METRIC_SET_CHANGES.c.scope_id == scope_pk
    later = of_scope & (METRIC_SET_CHANGES.c.begin >= since)
    connection.execute(METRIC_SET_CHANGES.delete().where(later))
    newest = _newest(connection, of_scope)
    return (None, None) if newest is None else (newest.metric_set_id, newest.period_seconds)


def _newest(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> sa.Row[Any] | None:
    query = sa.select(METRIC_SET_CHANGES).where(condition)
    return connection.execute(query.order_by(METRIC_SET_CHANGES.c.begin.desc()).limit(1)).first()


def _store(connection: sa.Connection, metrics: MetricSet) -> int:
    """Store a set if it is new; return its id."""
    query = sa.select(METRIC_SETS.c.id).where(METRIC_SETS.c.digest == metrics.digest)
    set_id = connection.execute(query).scalar()
    if set_id is None:
        insert_new(connection, METRIC_SETS, [metrics._asdict()])
        set_id = connection.execute(query).scalar_one()
    return int(set_id)
