"""When the fetcher last listed the scopes of a key, once for all of them.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0013"
down_revision = "0012"

_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add a table and a column; each scope has its own instant until it is listed again."""
    word = (
        sa.String(255)
        .with_variant(sa.String(255, collation="C"), "postgresql")
        .with_variant(steps.exact_text(255), "mysql", "mariadb")
    )
    op.create_table(
        "scope_lists",
        sa.Column("scope_key", word, nullable=False),
        sa.Column("listed_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("scope_key", name="pk_scope_lists"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        if_not_exists=steps.is_resumed(),
    )
    steps.add_column(
        "scopes",
        sa.Column("is_listed", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Give each scope its own instant again."""
    if steps.has_column("scopes", "is_listed"):
        op.execute(
            "UPDATE scopes SET last_seen = (SELECT scope_lists.listed_at FROM scope_lists"
            " WHERE scope_lists.scope_key = scopes.scope_key) WHERE is_listed"
        )
    steps.drop_column("scopes", "is_listed")
    steps.drop_table("scope_lists")
