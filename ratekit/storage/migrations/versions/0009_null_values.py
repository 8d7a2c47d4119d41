"""Mappings of labels that are null.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ratekit.storage.migrations import steps

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add a column; no mapping from before matches null."""
    steps.add_column(
        "hashmap_mappings",
        sa.Column("matches_null", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Drop it; the mappings match the text that CloudKitty has for null, and not empty labels."""
    if steps.has_column("hashmap_mappings", "matches_null"):
        op.execute("UPDATE hashmap_mappings SET value = 'None' WHERE matches_null")
    steps.drop_column("hashmap_mappings", "matches_null")
