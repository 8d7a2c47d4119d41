"""The rows of ``gaps``: time ranges in which scopes are not rated."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.storage.db.lists import in_list
from ratekit.storage.ledger.scope_rows import Row
from ratekit.storage.schema import GAPS, SCOPES


class Gap(NamedTuple):
    """A row; fields are named after the columns."""

    id: int
    last_instant: datetime.datetime
    resume: datetime.datetime | None


class Gaps:
    """The gaps of all scopes of one scope key that are open, or end after ``rated_until``.

    Only a transaction that has locked the scopes' rows may change their gaps.
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
        for scope_pk, *columns in connection.execute(query):
            gap = Gap(*columns)
            if gap.resume is None:
                self._open[scope_pk] = gap
            else:
                self._ahead.setdefault(scope_pk, []).append((gap.last_instant, gap.resume))

    def open(self, scope: Row) -> None:
        """Record that a scope is missing from the fetcher's list."""
        if scope.id not in self._open:
            self._create(scope.id, scope.last_seen, None)

    def close(self, scope: Row, resume: datetime.datetime) -> bool:
        """Record that a scope is listed; return whether it was missing or inactive before."""
        scope_pk = scope.id
        active = scope.active
        gap = self._open.pop(scope_pk, None)
        if gap is None and active:
            return False
        last = scope.last_seen if gap is None else gap.last_instant
        if resume <= last:  # it returned in a period that is rated in any case
            if gap is not None:
                self._void.append(gap.id)
            return not active
        if gap is None:  # inactive since before gaps were recorded
            self._create(scope_pk, last, resume)
        else:
            self._closed.append({"gap": gap.id, "until": resume})
        self._ahead.setdefault(scope_pk, []).append((last, resume))
        return True

    def _create(
        self, scope_pk: int, last_instant: datetime.datetime, resume: datetime.datetime | None
    ) -> None:
        self._new.append({"scope_id": scope_pk, "last_instant": last_instant, "resume": resume})

    def skip_from(self, scope_pk: int, rated_until: datetime.datetime) -> datetime.datetime:
        """Return the end of the gap if everything before the gap is rated, else ``rated_until``."""
        for last_instant, resume in self._ahead.get(scope_pk, ()):
            if last_instant < rated_until < resume:
                rated_until = resume
        return rated_until

    def rate_to(
        self, scope_pk: int, rated_until: datetime.datetime, last_seen: datetime.datetime
    ) -> datetime.datetime:
        """Return the last instant to rate: the one before the next gap, or ``last_seen``."""
        instants = [last for last, _ in self._ahead.get(scope_pk, ()) if last >= rated_until]
        return min(last_seen, *instants) if instants else last_seen

    def write(self, connection: sa.Connection) -> None:
        """Write all changes, by at most three statements."""
        if self._new:
            connection.execute(GAPS.insert(), self._new)
        if self._closed:
            statement = GAPS.update().where(GAPS.c.id == sa.bindparam("gap"))
            connection.execute(statement.values(resume=sa.bindparam("until")), self._closed)
        if self._void:
            connection.execute(GAPS.delete().where(in_list(GAPS.c.id, self._void)))


def add(
    connection: sa.Connection,
    scope_pk: int,
    rated_until: datetime.datetime,
    resume: datetime.datetime,
) -> None:
    """Add a gap from ``rated_until`` to ``resume`` for an operator."""
    # Databases store microseconds: this is the last instant that has been rated.
    last = rated_until - datetime.timedelta(microseconds=1)
    connection.execute(GAPS.insert().values(scope_id=scope_pk, last_instant=last, resume=resume))


def end_at(connection: sa.Connection, scope_pk: int, since: datetime.datetime) -> None:
    """End the gaps of a scope at ``since``; an open gap stays."""
    later = (GAPS.c.scope_id == scope_pk) & (GAPS.c.resume > since)
    connection.execute(GAPS.delete().where(later & (GAPS.c.last_instant >= since)))
    connection.execute(GAPS.update().where(later).values(resume=since))
