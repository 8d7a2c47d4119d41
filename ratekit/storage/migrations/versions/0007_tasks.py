"""Reprocessing tasks, and what they did.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0007"
down_revision = "0006"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_PRICE = sa.Numeric(65, 28).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "tasks",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("scope_id", _KEY, nullable=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("end", _INSTANT, nullable=False),
        sa.Column("period_seconds", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(7), nullable=False),
        sa.Column("accept_silence", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
        sa.Column("next_begin", _INSTANT, nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("retry_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_tasks_scope_id"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    steps.create_index("ix_tasks_scope_id", "tasks", ["scope_id"])
    steps.create_index("ix_tasks_state", "tasks", ["state"])
    op.create_table(
        "task_periods",
        sa.Column("task_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("outcome", sa.String(7), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("old_points", sa.BigInteger(), nullable=False),
        sa.Column("old_price", _PRICE, nullable=False),
        sa.Column("new_points", sa.BigInteger(), nullable=False),
        sa.Column("new_price", _PRICE, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "begin", name="pk_task_periods"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_task_periods_task_id"),
        **_TABLE,
        sqlite_with_rowid=False,
        if_not_exists=steps.is_resumed(),
    )


def downgrade() -> None:
    """Drop them; the changes that tasks made stay."""
    steps.drop_table("task_periods")
    steps.drop_table("tasks")
