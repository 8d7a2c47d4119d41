"""What a frame's quantity is a share of.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.storage.migrations import steps

revision = "0008"
down_revision = "0007"

_QUANTITY = sa.Numeric(65, 18).with_variant(sa.Text(), "sqlite")
_SHARE = sa.Numeric(19, 18).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add two columns, empty for all frames from before.

    No database copies the table: without a default value only its description changes.
    """
    steps.add_column("frames", sa.Column("whole", _QUANTITY))
    steps.add_column("frames", sa.Column("share", _SHARE))


def downgrade() -> None:
    """Drop them: thresholds then see a part of a period as if it were all."""
    steps.drop_column("frames", "share")
    steps.drop_column("frames", "whole")
