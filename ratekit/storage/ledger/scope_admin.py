"""What operators do with one scope's row, and with what it was charged."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting.reports import ResetPlan
from ratekit.interfaces import ScopeAdmin
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger import exclusions, metric_sets
from ratekit.storage.ledger import gaps as gap_rows
from ratekit.storage.schema import FRAMES, SCOPES, TOTALS


class SqlScopeAdmin(ScopeAdmin):
    """Locks a scope's row as commits do, so that each of them comes before or after.

    :param database: at the newest revision
    :param scope_key: only scopes of this key are known
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key

    def deactivate(self, scope_id: str, now: datetime.datetime) -> bool:
        """Have a scope not rated; commits that come later leave it out."""
        with self._database.writing() as connection:
            row = self._locked(connection, scope_id)
            if row["deactivated_at"] is not None:
                return False
            _change(connection, row, deactivated_at=now)
            return True

    def activate(self, scope_id: str, start: datetime.datetime | None = None) -> bool:
        """Have a deactivated scope rated again, from where it stopped or from ``start``."""
        with self._database.writing() as connection:
            row = self._locked(connection, scope_id)
            stopped = row["rated_until"]
            if row["deactivated_at"] is None:
                if start is None:
                    return False
                raise errors.OperatorError(
                    f"scope {scope_id} is not deactivated: only one that is can be rated from "
                    "another time on; nothing was changed"
                )
            if start is not None and start < stopped:
                raise errors.OperatorError(
                    f"scope {scope_id} is rated until {stopped:%Y-%m-%dT%H:%M:%SZ} already; to "
                    "rate it again from an earlier time, see ratekit scope reset; nothing was "
                    "changed"
                )
            if start is not None and start > stopped:
                gap_rows.skip(connection, row["id"], stopped, start)
            _change(connection, row, rated_until=start or stopped, deactivated_at=None, **_FRESH)
            return True

    def rewind(self, scope_id: str, since: datetime.datetime) -> ResetPlan:
        """Tell what a reset would remove; from totals."""
        with self._database.reading() as connection:
            row = self._row(connection, self._query(scope_id), scope_id)
            removed = (TOTALS.c.scope_id == row["id"]) & (TOTALS.c.begin >= since)
            points = sa.func.sum(TOTALS.c.points)
            query = sa.select(points, exact_sum(TOTALS.c.price)).where(removed)
            frames, price = connection.execute(query).one()
            # Exactly one: a stretch so short has one length.
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

    def reset(self, rewind: ResetPlan, gaps: bool = False) -> None:
        """Remove frames and totals, and move the state back.

        ``last_rated`` stays. Somebody may have been billed for the periods that are rated
        again, by the price rules of then, and by these they are priced again. Were it moved
        back, a rule file that is applied before the next commit could be taken for the first
        one, which holds from the beginning, and reprice the past by accident.
        """
        with self._database.writing() as connection:
            row = self._locked(connection, rewind.scope)
            if (row["rated_until"], row["resets"]) != (rewind.rated_until, rewind.resets):
                raise errors.Conflict(
                    f"scope {rewind.scope} was rated or reset meanwhile, it is now rated until "
                    f"{row['rated_until']:%Y-%m-%dT%H:%M:%SZ}: nothing was changed; look again"
                )
            for table in (FRAMES, TOTALS):
                mine = (table.c.scope_id == row["id"]) & (table.c.begin >= rewind.since)
                connection.execute(table.delete().where(mine))
            if gaps:
                gap_rows.forget(connection, row["id"], rewind.since)
            exclusions.forget(connection, row["id"], rewind.since)
            metrics, seconds = metric_sets.forget(connection, row["id"], rewind.since)
            _change(
                connection,
                row,
                rated_until=rewind.since,
                rated_since=row["rated_since"] and min(row["rated_since"], rewind.since),
                metric_set_id=metrics,
                period_seconds=seconds or row["period_seconds"],
                resets=row["resets"] + 1,
                # One that is not listed any more is to be rated to its end once more.
                active=row["active"] or rewind.since <= row["last_seen"],
                **_FRESH,
            )

    def _query(self, scope_id: str) -> sa.Select[tuple[object, ...]]:
        mine = (SCOPES.c.scope_key == self._scope_key) & (SCOPES.c.scope_id == scope_id)
        return sa.select(SCOPES).where(mine)

    def _locked(self, connection: sa.Connection, scope_id: str) -> sa.RowMapping:
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


_FRESH = {"failures": 0, "last_error": None, "retry_at": None}


def _change(connection: sa.Connection, row: sa.RowMapping, **values: object) -> None:
    connection.execute(SCOPES.update().where(SCOPES.c.id == row["id"]).values(values))
