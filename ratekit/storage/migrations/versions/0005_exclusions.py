"""Excluded resources, the start of each scope, and the length of its periods.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0005"
down_revision = "0004"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: A scope began with its first total or its first set of metrics; a scope that has not been rated
#: begins at its current state. The start of a scope that was always silent until 0004 is unknown.
_BEGINNINGS = (
    "UPDATE scopes SET rated_since ="
    " (SELECT MIN(totals.begin) FROM totals WHERE totals.scope_id = scopes.id)",
    "UPDATE scopes SET rated_since ="
    " (SELECT MIN(one.begin) FROM metric_set_changes one WHERE one.scope_id = scopes.id)"
    " WHERE EXISTS (SELECT 1 FROM metric_set_changes one WHERE one.scope_id = scopes.id"
    " AND (scopes.rated_since IS NULL OR one.begin < scopes.rated_since))",
    "UPDATE scopes SET rated_since = rated_until WHERE rated_since IS NULL AND last_rated IS NULL",
)


def upgrade() -> None:
    """Add a table and two columns; fill in the start of each scope where it is known."""
    word = (
        sa.String(255)
        .with_variant(sa.String(255, collation="C"), "postgresql")
        .with_variant(steps.exact_text(255), "mysql", "mariadb")
    )
    op.create_table(
        "exclusions",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("scope_id", _KEY, nullable=False),
        sa.Column("metric", word, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("end", _INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exclusions"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_exclusions_scope_id"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    steps.create_index("ix_exclusions_scope_id", "exclusions", ["scope_id"])
    steps.add_column("scopes", sa.Column("rated_since", _INSTANT))
    steps.add_column("metric_set_changes", sa.Column("period_seconds", sa.Integer()))
    for statement in _BEGINNINGS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    steps.drop_column("metric_set_changes", "period_seconds")
    steps.drop_column("scopes", "rated_since")
    steps.drop_table("exclusions")
