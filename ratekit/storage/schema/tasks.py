"""Tables of reprocessing tasks."""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.domain.exact import PRICE_PLACES
from ratekit.storage.db.types import TABLE, Exact, Instant, row_id
from ratekit.storage.schema.metadata import METADATA

#: A scope's time range to reprocess. Swaps compare and swap ``next_begin``: all periods before it
#: are processed. ``state`` is queued, done or cancelled. Rows are never deleted.
TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("scope_id", row_id(), sa.ForeignKey("scopes.id"), nullable=False, index=True),
    sa.Column("begin", Instant, nullable=False),
    sa.Column("end", Instant, nullable=False),
    sa.Column("period_seconds", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(7), nullable=False),
    sa.Column("accept_silence", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("next_begin", Instant, nullable=False),
    sa.Column("state", sa.String(9), nullable=False, index=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("retry_at", Instant),
    sa.Column("ended_at", Instant),
    **TABLE,
)

#: What a task did to one period: ``outcome`` is swapped, same or kept. Rows are never deleted.
TASK_PERIODS = sa.Table(
    "task_periods",
    METADATA,
    sa.Column(
        "task_id", row_id(), sa.ForeignKey("tasks.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("outcome", sa.String(7), nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("old_points", sa.BigInteger, nullable=False),
    sa.Column("old_price", Exact(PRICE_PLACES), nullable=False),
    sa.Column("new_points", sa.BigInteger, nullable=False),
    sa.Column("new_price", Exact(PRICE_PLACES), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
    **TABLE,
)
