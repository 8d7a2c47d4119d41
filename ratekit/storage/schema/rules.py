"""Tables of price rules and their history."""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.domain.exact import PRICE_PLACES
from ratekit.storage.db.types import TABLE, Exact, Instant, Word, row_id
from ratekit.storage.schema.metadata import METADATA

#: One row: the version of all rules together.
VERSIONS = sa.Table(
    "hashmap_versions",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False, index=True, unique=True),
    **TABLE,
)

#: Empty: on a Galera cluster a transaction inserts a row here, and deletes it. See db/galera.py.
RULE_READS = sa.Table(
    "rule_reads",
    METADATA,
    sa.Column("id", row_id(), primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, sa.ForeignKey("hashmap_versions.version"), nullable=False),
    **TABLE,
)

#: ``hidden``: it was deleted, until it is created again or has a new rule; history refers to it.
SERVICES = sa.Table(
    "hashmap_services",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("name", Word(), nullable=False, unique=True),
    sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.false()),
    **TABLE,
)

FIELDS = sa.Table(
    "hashmap_fields",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("service_id", row_id(), sa.ForeignKey("hashmap_services.id"), nullable=False),
    sa.Column("name", Word(), nullable=False),
    sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("service_id", "name"),
    **TABLE,
)

GROUPS = sa.Table(
    "hashmap_groups",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("name", Word(), nullable=False, unique=True),
    sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.false()),
    **TABLE,
)


def _terms(*columns: sa.schema.SchemaItem) -> tuple[sa.schema.SchemaItem, ...]:
    """Return ``columns`` and those that mappings and thresholds have in common.

    A rule belongs to a service or to a field, never to both. ``line``: id of the first rule of
    its line, NULL if it is the first. ``name`` and ``description`` are for people.
    """
    return (
        sa.Column("id", row_id(), primary_key=True),
        sa.Column("service_id", row_id(), sa.ForeignKey("hashmap_services.id")),
        sa.Column("field_id", row_id(), sa.ForeignKey("hashmap_fields.id")),
        sa.Column("group_id", row_id(), sa.ForeignKey("hashmap_groups.id")),
        sa.Column("scope", Word()),
        sa.Column("cost", Exact(PRICE_PLACES), nullable=False),
        sa.Column("type", sa.String(4), nullable=False),
        sa.Column("start", Instant),
        sa.Column("end", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("closed_at", Instant),
        *columns,
        sa.Column("line", row_id()),
        sa.Column("name", sa.Text),
        sa.Column("description", sa.Text),
        sa.CheckConstraint("(service_id IS NULL) <> (field_id IS NULL)", name="one_parent"),
    )


#: ``matches_null``: the mapping matches null labels, and ``value`` is empty.
MAPPINGS = sa.Table(
    "hashmap_mappings",
    METADATA,
    *_terms(
        sa.Column("value", sa.Text),
        sa.Column("matches_null", sa.Boolean, nullable=False, server_default=sa.false()),
    ),
    sa.CheckConstraint("(field_id IS NULL) = (value IS NULL)", name="value_of_field"),
    **TABLE,
)

THRESHOLDS = sa.Table(
    "hashmap_thresholds",
    METADATA,
    *_terms(sa.Column("level", Exact(PRICE_PLACES), nullable=False)),
    **TABLE,
)

#: A change of the price rules; never changed or deleted. Its key is the version of all rules
#: after it. Changes made before revision 0006 have no row.
CHANGES = sa.Table(
    "hashmap_changes",
    METADATA,
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("comment", sa.Text),
    sa.Column("retroactive", sa.Boolean, nullable=False),
    **TABLE,
)

#: A rule that a change opened or closed: ``action`` is open or close. ``new_end`` is the rule's
#: end after the change, ``old_end`` before it; other parts of a rule never change.
CHANGE_LINES = sa.Table(
    "hashmap_change_lines",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column(
        "version",
        sa.BigInteger,
        sa.ForeignKey("hashmap_changes.version"),
        nullable=False,
        index=True,
    ),
    sa.Column("action", sa.String(5), nullable=False),
    sa.Column("mapping_id", row_id(), sa.ForeignKey("hashmap_mappings.id")),
    sa.Column("threshold_id", row_id(), sa.ForeignKey("hashmap_thresholds.id")),
    sa.Column("old_end", Instant),
    sa.Column("new_end", Instant),
    sa.CheckConstraint("(mapping_id IS NULL) <> (threshold_id IS NULL)", name="one_rule"),
    **TABLE,
)
