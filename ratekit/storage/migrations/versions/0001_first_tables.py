"""First tables: states, frames, totals, price rules.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0001"
down_revision = None

_MYSQL = ("mysql", "mariadb")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_QUANTITY = sa.Numeric(65, 18).with_variant(sa.Text(), "sqlite")
_PRICE = sa.Numeric(65, 28).with_variant(sa.Text(), "sqlite")
_JSON = (
    sa.Text()
    .with_variant(sa.Text(collation="C"), "postgresql")
    .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), *_MYSQL)
)
_TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), *_MYSQL)


def upgrade() -> None:
    """Create all tables."""
    _create_scopes()
    _create_frames()
    _create_parents()
    _create_rules()


def downgrade() -> None:
    """Drop all tables, tables with references first."""
    for table in (
        "hashmap_thresholds",
        "hashmap_mappings",
        "hashmap_groups",
        "hashmap_fields",
        "hashmap_services",
        "hashmap_versions",
        "totals",
        "frames",
        "descriptors",
        "scopes",
    ):
        steps.drop_table(table)


def _word() -> sa.String:
    return (
        sa.String(255)
        .with_variant(sa.String(255, collation="C"), "postgresql")
        .with_variant(steps.exact_text(255), *_MYSQL)
    )


def _create_scopes() -> None:
    op.create_table(
        "scopes",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("scope_key", _word(), nullable=False),
        sa.Column("scope_id", _word(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fetcher", _word(), nullable=False),
        sa.Column("collector", _word(), nullable=False),
        sa.Column("rated_until", _INSTANT, nullable=False),
        sa.Column("last_rated", _INSTANT),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("retry_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_scopes"),
        sa.UniqueConstraint("scope_key", "scope_id", name="uq_scopes_scope_key_scope_id"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )


def _create_frames() -> None:
    op.create_table(
        "descriptors",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("metric", _word(), nullable=False),
        sa.Column("unit", _word(), nullable=False),
        sa.Column("groupby", _JSON, nullable=False),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_descriptors"),
        sa.UniqueConstraint("digest", name="uq_descriptors_digest"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "frames",
        sa.Column("scope_id", _KEY, nullable=False, autoincrement=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("descriptor_id", _KEY, nullable=False, autoincrement=False),
        sa.Column("quantity", _QUANTITY, nullable=False),
        sa.Column("price", _PRICE, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "begin", "descriptor_id", name="pk_frames"),
        sqlite_with_rowid=False,
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "totals",
        sa.Column("scope_id", _KEY, nullable=False, autoincrement=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("metric", _word(), nullable=False),
        sa.Column("unit", _word(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("quantity", _QUANTITY, nullable=False),
        sa.Column("price", _PRICE, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "begin", "metric", "unit", name="pk_totals"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_totals_scope_id"),
        sqlite_with_rowid=False,
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )


def _create_parents() -> None:
    versions = op.create_table(
        "hashmap_versions",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hashmap_versions"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    if op.get_bind().execute(sa.select(versions.c.id)).first() is None:
        op.bulk_insert(versions, [{"id": 1, "version": 0}])
    op.create_table(
        "hashmap_services",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", _word(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hashmap_services"),
        sa.UniqueConstraint("name", name="uq_hashmap_services_name"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "hashmap_fields",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("service_id", _KEY, nullable=False),
        sa.Column("name", _word(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hashmap_fields"),
        sa.ForeignKeyConstraint(
            ["service_id"], ["hashmap_services.id"], name="fk_hashmap_fields_service_id"
        ),
        sa.UniqueConstraint("service_id", "name", name="uq_hashmap_fields_service_id_name"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "hashmap_groups",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", _word(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hashmap_groups"),
        sa.UniqueConstraint("name", name="uq_hashmap_groups_name"),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )


def _create_rules() -> None:
    op.create_table(
        "hashmap_mappings",
        *_terms("hashmap_mappings"),
        sa.Column("value", sa.Text()),
        sa.CheckConstraint(
            "(field_id IS NULL) = (value IS NULL)", name="ck_hashmap_mappings_value_of_field"
        ),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )
    op.create_table(
        "hashmap_thresholds",
        *_terms("hashmap_thresholds"),
        sa.Column("level", _PRICE, nullable=False),
        **_TABLE,
        if_not_exists=steps.is_resumed(),
    )


def _terms(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", _KEY, nullable=False),
        sa.Column("service_id", _KEY),
        sa.Column("field_id", _KEY),
        sa.Column("group_id", _KEY),
        sa.Column("scope", _word()),
        sa.Column("cost", _PRICE, nullable=False),
        sa.Column("type", sa.String(4), nullable=False),
        sa.Column("start", _INSTANT),
        sa.Column("end", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["service_id"], ["hashmap_services.id"], name=f"fk_{table}_service_id"
        ),
        sa.ForeignKeyConstraint(["field_id"], ["hashmap_fields.id"], name=f"fk_{table}_field_id"),
        sa.ForeignKeyConstraint(["group_id"], ["hashmap_groups.id"], name=f"fk_{table}_group_id"),
        sa.CheckConstraint(
            "(service_id IS NULL) <> (field_id IS NULL)", name=f"ck_{table}_one_parent"
        ),
    )
