"""Which usage has stopped, and which processors are there.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0011"
down_revision = "0010"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add two tables."""
    word = (
        sa.String(255)
        .with_variant(sa.String(255, collation="C"), "postgresql")
        .with_variant(steps.exact_text(255), "mysql", "mariadb")
    )
    op.create_table(
        "stopped_usage",
        sa.Column("scope_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("metric", word, nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "metric", name="pk_stopped_usage"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_stopped_usage_scope_id"),
        sqlite_with_rowid=False,
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "processors",
        sa.Column("scope_key", word, nullable=False),
        sa.Column("name", word, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("next_cycle", _INSTANT),
        sa.Column("error", sa.Text()),
        sa.Column("error_since", _INSTANT),
        sa.PrimaryKeyConstraint("scope_key", "name", name="pk_processors"),
        sqlite_with_rowid=False,
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )


def downgrade() -> None:
    """Drop them."""
    steps.drop_table("processors")
    steps.drop_table("stopped_usage")
