"""Scopes that an operator has deactivated.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Add the column; no scope is deactivated yet."""
    steps.add_column("scopes", sa.Column("deactivated_at", _INSTANT))


def downgrade() -> None:
    """Drop the column; deactivated scopes are rated again."""
    steps.drop_column("scopes", "deactivated_at")
