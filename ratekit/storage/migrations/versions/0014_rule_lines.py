"""Lines of price rules, their names, and names that were deleted.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.storage.migrations import steps

revision = "0014"
down_revision = "0013"

_RULES = ("hashmap_mappings", "hashmap_thresholds")
_NAMES = ("hashmap_services", "hashmap_fields", "hashmap_groups")


def upgrade() -> None:
    """Add columns; each rule from before is a line of its own, and nothing is hidden."""
    for table in _RULES:
        number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
        steps.add_column(table, sa.Column("line", number))
        steps.add_column(table, sa.Column("name", sa.Text()))
        steps.add_column(table, sa.Column("description", sa.Text()))
    for table in _NAMES:
        steps.add_column(
            table, sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    """Drop them; names that were deleted appear again, and their rules stay closed."""
    for table in _NAMES:
        steps.drop_column(table, "hidden")
    for table in _RULES:
        for column in ("description", "name", "line"):
            steps.drop_column(table, column)
