"""The metrics by which each scope was rated, and since when.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0004"
down_revision = "0003"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
_JSON = (
    sa.Text()
    .with_variant(sa.Text(collation="C"), "postgresql")
    .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
)


def upgrade() -> None:
    """Add two tables and a column; the metrics of earlier periods are unknown."""
    op.create_table(
        "metric_sets",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("names", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_metric_sets"),
        sa.UniqueConstraint("digest", name="uq_metric_sets_digest"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "metric_set_changes",
        sa.Column("scope_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("metric_set_id", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "begin", name="pk_metric_set_changes"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_metric_set_changes_scope_id"),
        **_TABLE,
        sqlite_with_rowid=False,
        if_not_exists=steps.is_resumed(),
    )
    steps.add_column("scopes", sa.Column("metric_set_id", _KEY))


def downgrade() -> None:
    """Drop them."""
    steps.drop_column("scopes", "metric_set_id")
    steps.drop_table("metric_set_changes")
    steps.drop_table("metric_sets")
