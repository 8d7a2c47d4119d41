"""Gaps in which a scope is not rated; the number of its resets, and the length of its periods.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add a table and two columns; earlier gaps are unknown."""
    steps.add_column(
        "scopes", sa.Column("resets", sa.Integer(), nullable=False, server_default="0")
    )
    steps.add_column("scopes", sa.Column("period_seconds", sa.Integer()))
    op.create_table(
        "gaps",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("scope_id", _KEY, nullable=False),
        sa.Column("last_instant", _INSTANT, nullable=False),
        sa.Column("resume", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_gaps_scope_id"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    steps.create_index("ix_gaps_scope_id", "gaps", ["scope_id"])


def downgrade() -> None:
    """Drop them; a scope is rated over gaps that it has not reached."""
    steps.drop_table("gaps")
    steps.drop_column("scopes", "period_seconds")
    steps.drop_column("scopes", "resets")
