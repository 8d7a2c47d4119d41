"""Who changed which price rules, when, and how.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0006"
down_revision = "0005"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add two tables; earlier changes have no record."""
    op.create_table(
        "hashmap_changes",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.Column("retroactive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_hashmap_changes"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "hashmap_change_lines",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(5), nullable=False),
        sa.Column("mapping_id", _KEY),
        sa.Column("threshold_id", _KEY),
        sa.Column("old_end", _INSTANT),
        sa.Column("new_end", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_hashmap_change_lines"),
        *(
            sa.ForeignKeyConstraint([column], [target], name=f"fk_hashmap_change_lines_{column}")
            for column, target in (
                ("version", "hashmap_changes.version"),
                ("mapping_id", "hashmap_mappings.id"),
                ("threshold_id", "hashmap_thresholds.id"),
            )
        ),
        sa.CheckConstraint(
            "(mapping_id IS NULL) <> (threshold_id IS NULL)",
            name="ck_hashmap_change_lines_one_rule",
        ),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    steps.create_index("ix_hashmap_change_lines_version", "hashmap_change_lines", ["version"])


def downgrade() -> None:
    """Drop them."""
    steps.drop_table("hashmap_change_lines")
    steps.drop_table("hashmap_changes")
