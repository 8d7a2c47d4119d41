"""Until when frames and totals were purged.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0012"
down_revision = "0011"

_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add a table of one row."""
    marks = op.create_table(
        "purge_mark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("frames_until", _INSTANT),
        sa.Column("totals_until", _INSTANT),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_purge_mark"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    # The interrupted run may have inserted the row.
    if op.get_bind().execute(sa.select(marks.c.id)).first() is None:
        op.bulk_insert(marks, [{"id": 1, "uses": 0}])


def downgrade() -> None:
    """Drop it."""
    steps.drop_table("purge_mark")
