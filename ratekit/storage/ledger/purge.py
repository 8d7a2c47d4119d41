"""Removes old frames and totals in short transactions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.purge import PurgeCount, PurgeMark
from ratekit.interfaces import Purge
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger import daily_totals, purge_mark
from ratekit.storage.schema import FRAMES, PURGE_MARK, SCOPES, TASKS, TOTALS
from ratekit.storage.tasks.rows import OPEN
from ratekit.text import utc_text

#: Scopes of one transaction, by three or six statements each: 5,000 by three took PostgreSQL 5 s,
#: MariaDB 8 s.
_SCOPES = 100


class SqlPurge(Purge):
    """Purges a database, whatever the scope keys are.

    The mark is stored first: what a process that died has left, the next call removes.

    :param database: at the newest revision
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark(self) -> PurgeMark:
        """Return the mark."""
        with self._database.reading() as connection:
            return purge_mark.read(connection)

    def count(self, before: datetime.datetime, totals: bool) -> PurgeCount:
        """Count what is before the later one of ``before`` and the mark."""
        with self._database.reading() as connection:
            _require_no_task(connection, before)
            mark = _advance(purge_mark.read(connection), before, totals)
            frames, total_rows = (
                _count(connection, table, until) for table, until in _limits(mark)
            )
            scopes = _count_behind(connection, mark.frames_until or before)
        return PurgeCount(frames, total_rows, scopes)

    def scopes_behind(self, before: datetime.datetime) -> int:
        """Return how many scopes are left out."""
        with self._database.reading() as connection:
            mark = _advance(purge_mark.read(connection), before, totals=False)
            return _count_behind(connection, mark.frames_until or before)

    def start(self, before: datetime.datetime, totals: bool) -> None:
        """Store the mark; resets and new tasks come before this, or see it."""
        with self._database.writing() as connection:
            old = purge_mark.lock(connection)
            _require_no_task(connection, before)
            mark = _advance(old, before, totals)
            connection.execute(
                PURGE_MARK.update().values(
                    frames_until=mark.frames_until, totals_until=mark.totals_until
                )
            )

    def remove(self, limit: int) -> Iterator[PurgeCount]:
        """Remove frames, then totals, in the order of their keys."""
        for table, until in _limits(self.mark()):
            scope_pk: int | None = 0
            while until is not None and scope_pk is not None:
                with self._database.writing() as connection:
                    scope_pk, rows = _remove(connection, table, until, scope_pk, limit)
                if rows:
                    yield PurgeCount(frames=rows) if table is FRAMES else PurgeCount(totals=rows)


def _limits(mark: PurgeMark) -> Sequence[tuple[sa.Table, datetime.datetime | None]]:
    return (FRAMES, mark.frames_until), (TOTALS, mark.totals_until)


def _advance(mark: PurgeMark, before: datetime.datetime, totals: bool) -> PurgeMark:
    return PurgeMark(
        max(before, mark.frames_until or before),
        max(before, mark.totals_until or before) if totals else mark.totals_until,
    )


def _require_no_task(connection: sa.Connection, before: datetime.datetime) -> None:
    """:raises ratekit.errors.OperatorError: an open task is still to process older periods."""
    query = (
        sa.select(TASKS.c.id, TASKS.c.next_begin)
        .where(OPEN & (TASKS.c.next_begin < before))
        .order_by(TASKS.c.next_begin)
        .limit(1)
    )
    task = connection.execute(query).first()
    if task is not None:
        raise errors.OperatorError(
            f"task {task.id} needs what was rated since {utc_text(task.next_begin)}; nothing was "
            f"purged: wait for its end, or run ratekit reprocess cancel {task.id}"
        )


def _is_rated_until(until: datetime.datetime) -> sa.ColumnElement[bool]:
    """Return whether a scope will have no more frames before ``until``, if nobody resets it."""
    is_rated = SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
    return ~is_rated | (SCOPES.c.rated_until >= until)


def _count_behind(connection: sa.Connection, until: datetime.datetime) -> int:
    query = sa.select(sa.func.count()).select_from(SCOPES).where(~_is_rated_until(until))
    count: int = connection.execute(query).scalar_one()
    return count


def _count(connection: sa.Connection, table: sa.Table, until: datetime.datetime | None) -> int:
    if until is None:
        return 0
    joined = table.join(SCOPES, SCOPES.c.id == table.c.scope_id)
    query = sa.select(sa.func.count()).select_from(joined).where(table.c.begin < until)
    count: int = connection.execute(query.where(_is_rated_until(until))).scalar_one()
    return count


def _remove(
    connection: sa.Connection,
    table: sa.Table,
    until: datetime.datetime,
    scope_pk: int | None,
    limit: int,
) -> tuple[int | None, int]:
    """Remove at most ``limit`` rows of at most :data:`_SCOPES` scopes from ``scope_pk`` on.

    :returns: the scope to go on with, None at the end; and the number of rows
    """
    rows = 0
    old = sa.exists().where((table.c.scope_id == SCOPES.c.id) & (table.c.begin < until))
    query = sa.select(SCOPES.c.id).where(_is_rated_until(until) & old).order_by(SCOPES.c.id)
    for _ in range(_SCOPES):
        scope_pk = connection.execute(query.where(SCOPES.c.id >= scope_pk).limit(1)).scalar()
        if scope_pk is None:
            break
        if table is TOTALS and not _lock(connection, scope_pk, until):
            scope_pk += 1
            continue
        rows += _remove_first(connection, table, until, scope_pk, limit - rows)
        if rows >= limit:
            break
    return scope_pk, rows


def _lock(connection: sa.Connection, scope_pk: int, until: datetime.datetime) -> bool:
    """Lock a scope as commits do, in the same order; return whether it may be purged still.

    Who writes totals of the day that is purged in part would else add to a daily total that is
    summed up anew without them. On another node of a Galera cluster both change the same row.
    """
    query = sa.select(SCOPES.c.id).where(SCOPES.c.id == scope_pk).where(_is_rated_until(until))
    return connection.execute(query.with_for_update(key_share=True)).first() is not None


def _remove_first(
    connection: sa.Connection, table: sa.Table, until: datetime.datetime, scope_pk: int, limit: int
) -> int:
    """Remove at most ``limit`` rows of a scope, in the order of their key; return their number.

    Databases differ in DELETE with a limit; a range of the key is the same rows on each node of a
    cluster.
    """
    condition = (table.c.scope_id == scope_pk) & (table.c.begin < until)
    columns = [column for column in table.primary_key.columns if column.name != "scope_id"]
    query = sa.select(*columns).where(condition).order_by(*columns).offset(limit - 1).limit(1)
    last = connection.execute(query).first()
    if last is not None:
        condition &= _up_to(list(zip(columns, last, strict=True)))
        until = last.begin + datetime.datetime.resolution
    count = connection.execute(table.delete().where(condition)).rowcount
    if table is TOTALS:
        daily_totals.refresh(connection, scope_pk, None, until)
    return count


def _up_to(key: list[tuple[sa.Column[Any], Any]]) -> sa.ColumnElement[bool]:
    """Return the condition for rows up to a key: pairs of a column and its value."""
    column, value = key.pop()
    condition: sa.ColumnElement[bool] = column <= value
    for column, value in reversed(key):
        # The first part is a range that the index serves.
        condition = (column <= value) & ((column < value) | condition)
    return condition
