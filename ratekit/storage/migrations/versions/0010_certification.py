"""What tells a transaction's own rows, and what the nodes of a cluster compare.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ratekit.storage.migrations import steps

revision = "0010"
down_revision = "0009"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a column to scopes, and a table that stays empty."""
    steps.add_column("scopes", sa.Column("writer", sa.BigInteger()))
    # A foreign key needs it.
    steps.create_index("ix_hashmap_versions_version", "hashmap_versions", ["version"], unique=True)
    op.create_table(
        "rule_reads",
        sa.Column("id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["hashmap_versions.version"], name="fk_rule_reads_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rule_reads"),
        if_not_exists=steps.is_resumed(),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def downgrade() -> None:
    """Drop them."""
    steps.drop_table("rule_reads")
    steps.drop_index("ix_hashmap_versions_version", "hashmap_versions")
    steps.drop_column("scopes", "writer")
