"""Stretches in which scopes are not rated: the rows of ``gaps``."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.storage.db.engine import slices
from ratekit.storage.schema import GAPS, SCOPES


class Gap(NamedTuple):
    """A row; fields are named after the columns."""

    id: int
    last_instant: datetime.datetime
    resume: datetime.datetime | None


class Gaps:
    """The gaps of all scopes of a key that are open or still ahead, and what becomes of them.

    Whoever holds the scopes' rows locked is the only one to change their gaps.
    """

    def __init__(self, connection: sa.Connection, scope_key: str) -> None:
        query = (
            sa.select(GAPS.c.scope_id, GAPS.c.id, GAPS.c.last_instant, GAPS.c.resume)
            .join(SCOPES, SCOPES.c.id == GAPS.c.scope_id)
            .where(SCOPES.c.scope_key == scope_key)
            .where(GAPS.c.resume.is_(None) | (GAPS.c.resume > SCOPES.c.rated_until))
            .order_by(GAPS.c.last_instant, GAPS.c.id)
        )
        self._open: dict[int, Gap] = {}
        self._ahead: dict[int, list[tuple[datetime.datetime, datetime.datetime]]] = {}
        self._new: list[dict[str, Any]] = []
        self._closed: list[dict[str, Any]] = []
        self._void: list[int] = []
        for key, *columns in connection.execute(query):
            gap = Gap(*columns)
            if gap.resume is None:
                self._open[key] = gap
            else:
                self._ahead.setdefault(key, []).append((gap.last_instant, gap.resume))

    def open(self, scope: sa.RowMapping) -> None:
        """Note that a scope is missing from the fetcher's list."""
        if scope["id"] not in self._open:
            self._note(scope["id"], scope["last_seen"], None)

    def close(self, scope: sa.RowMapping, resume: datetime.datetime) -> bool:
        """Note that a scope is listed; tell whether it had been missing, or inactive, before."""
        key: int = scope["id"]
        active: bool = scope["active"]
        gap = self._open.pop(key, None)
        if gap is None and active:
            return False
        last: datetime.datetime = scope["last_seen"] if gap is None else gap.last_instant
        if resume <= last:  # back in the period that it is rated for anyhow
            if gap is not None:
                self._void.append(gap.id)
            return not active
        if gap is None:  # inactive since before gaps were noted
            self._note(key, last, resume)
        else:
            self._closed.append({"gap": gap.id, "until": resume})
        self._ahead.setdefault(key, []).append((last, resume))
        return True

    def _note(
        self, key: int, last_instant: datetime.datetime, resume: datetime.datetime | None
    ) -> None:
        self._new.append({"scope_id": key, "last_instant": last_instant, "resume": resume})

    def across(self, key: int, rated_until: datetime.datetime) -> datetime.datetime:
        """Return from where on to rate: behind the gap, if all before it has been rated."""
        for last_instant, resume in self._ahead.get(key, ()):
            if last_instant < rated_until < resume:
                rated_until = resume
        return rated_until

    def seen(
        self, key: int, rated_until: datetime.datetime, last_seen: datetime.datetime
    ) -> datetime.datetime:
        """Return the last instant up to which to rate: of the next gap, or ``last_seen``."""
        instants = [last for last, _ in self._ahead.get(key, ()) if last >= rated_until]
        return min(last_seen, *instants) if instants else last_seen

    def write(self, connection: sa.Connection) -> None:
        """Write what was noted, by at most three statements."""
        if self._new:
            connection.execute(GAPS.insert(), self._new)
        if self._closed:
            statement = GAPS.update().where(GAPS.c.id == sa.bindparam("gap"))
            connection.execute(statement.values(resume=sa.bindparam("until")), self._closed)
        for ids in slices(self._void):
            connection.execute(GAPS.delete().where(GAPS.c.id.in_(ids)))


def skip(
    connection: sa.Connection,
    key: int,
    rated_until: datetime.datetime,
    resume: datetime.datetime,
) -> None:
    """Note that an operator had a scope not rated from ``rated_until`` to ``resume``."""
    # Databases keep microseconds: this is the last instant that has been rated.
    last = rated_until - datetime.timedelta(microseconds=1)
    connection.execute(GAPS.insert().values(scope_id=key, last_instant=last, resume=resume))


def forget(connection: sa.Connection, key: int, since: datetime.datetime) -> None:
    """Have the gaps of a scope end at ``since``; one that lasts remains."""
    later = (GAPS.c.scope_id == key) & (GAPS.c.resume > since)
    connection.execute(GAPS.delete().where(later & (GAPS.c.last_instant >= since)))
    connection.execute(GAPS.update().where(later).values(resume=since))
