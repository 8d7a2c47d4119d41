"""Changes of one scope's row and charges for operators."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting.reports import ResetPlan
from ratekit.interfaces import ScopeAdmin
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger import (
    daily_totals,
    exclusions,
    metric_sets,
    purge_mark,
    stopped_usage,
)
from ratekit.storage.ledger import gaps as gap_rows
from ratekit.storage.schema import FRAMES, SCOPES, TOTALS
from ratekit.text import second_text


class SqlScopeAdmin(ScopeAdmin):
    """Locks a scope's row as commits do, so that each commit comes before or after.

    :param database: at the newest revision
    :param scope_key: scopes of other keys do not exist for it
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key

    def deactivate(self, scope_id: str, now: datetime.datetime) -> bool:
        """Stop rating a scope; later commits skip it."""
        with self._database.writing() as connection:
            row = self._lock(connection, scope_id)
            if row["deactivated_at"] is not None:
                return False
            _change(connection, row, deactivated_at=now)
            return True

    def activate(self, scope_id: str, start: datetime.datetime | None = None) -> bool:
        """Resume rating a deactivated scope, where it stopped or at ``start``."""
        with self._database.writing() as connection:
            row = self._lock(connection, scope_id)
            stopped = row["rated_until"]
            if row["deactivated_at"] is None:
                if start is None:
                    return False
                raise errors.OperatorError(
                    f"scope {scope_id} is not deactivated; only a deactivated scope can resume at "
                    "another time; nothing was changed"
                )
            if start is not None and start < stopped:
                raise errors.OperatorError(
                    f"scope {scope_id} is already rated until {second_text(stopped)}; to rate it "
                    "again from an earlier time, see ratekit scope reset; nothing was changed"
                )
            if start is not None and start > stopped:
                gap_rows.add(connection, row["id"], stopped, start)
            _change(
                connection, row, rated_until=start or stopped, deactivated_at=None, **_NO_FAILURES
            )
            return True

    def plan_reset(self, scope_id: str, since: datetime.datetime) -> ResetPlan:
        """Return what a reset would remove, by the totals."""
        with self._database.reading() as connection:
            row = self._row(connection, self._query(scope_id), scope_id)
            purge_mark.require_kept(purge_mark.read(connection), since)
            removed = (TOTALS.c.scope_id == row["id"]) & (TOTALS.c.begin >= since)
            points = sa.func.sum(TOTALS.c.points)
            query = sa.select(points, exact_sum(TOTALS.c.price)).where(removed)
            frames, price = connection.execute(query).one()
            # At most one: at one instant there is one length.
            (step,) = metric_sets.lengths(connection, row["id"], since, since) or (None,)
        return ResetPlan(
            scope=scope_id,
            since=since,
            rated_until=row["rated_until"],
            resets=row["resets"],
            step=step,
            frames=int(frames or 0),
            price=ZERO if price is None else price,
            rated_since=row["rated_since"],
        )

    def reset(self, plan: ResetPlan, gaps: bool = False) -> None:
        """Remove frames and totals, and move the state back.

        ``last_rated`` stays unchanged. Customers may have been billed for the periods that are
        rated again, by the rules of that time; the same rules price them again. If it were moved
        back, a rule file that is applied before the next commit would count as the first one,
        which is valid from the beginning, and would reprice the past by accident.
        """
        with self._database.writing() as connection:
            purge_mark.require_kept(purge_mark.lock(connection), plan.since)
            row = self._lock(connection, plan.scope)
            if (row["rated_until"], row["resets"]) != (plan.rated_until, plan.resets):
                raise errors.Conflict(
                    f"scope {plan.scope} was rated or reset meanwhile; it is now rated until "
                    f"{second_text(row['rated_until'])}; nothing was changed; repeat the command"
                )
            for table in (FRAMES, TOTALS):
                since = (table.c.scope_id == row["id"]) & (table.c.begin >= plan.since)
                connection.execute(table.delete().where(since))
            daily_totals.refresh(connection, row["id"], plan.since, None)
            if gaps:
                gap_rows.end_at(connection, row["id"], plan.since)
            exclusions.remove_since(connection, row["id"], plan.since)
            stopped_usage.remove_since(connection, row["id"], plan.since)
            metrics, seconds = metric_sets.remove_since(connection, row["id"], plan.since)
            _change(
                connection,
                row,
                rated_until=plan.since,
                rated_since=row["rated_since"] and min(row["rated_since"], plan.since),
                metric_set_id=metrics,
                period_seconds=seconds or row["period_seconds"],
                resets=row["resets"] + 1,
                # A scope that is no longer listed must be rated to its end again. One that is
                # listed is active, so its own last_seen does not matter.
                active=row["active"] or plan.since <= row["last_seen"],
                **_NO_FAILURES,
            )

    def _query(self, scope_id: str) -> sa.Select[tuple[object, ...]]:
        query = sa.select(SCOPES).where(SCOPES.c.scope_key == self._scope_key)
        return query.where(SCOPES.c.scope_id == scope_id)

    def _lock(self, connection: sa.Connection, scope_id: str) -> sa.RowMapping:
        query = self._query(scope_id).with_for_update(key_share=True)
        return self._row(connection, query, scope_id)

    @staticmethod
    def _row(
        connection: sa.Connection, query: sa.Select[tuple[object, ...]], scope_id: str
    ) -> sa.RowMapping:
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise errors.OperatorError(f"no scope {scope_id!r}")
        return row


_NO_FAILURES = {"failures": 0, "last_error": None, "retry_at": None}


def _change(connection: sa.Connection, row: sa.RowMapping, **values: object) -> None:
    connection.execute(SCOPES.update().where(SCOPES.c.id == row["id"]).values(values))
