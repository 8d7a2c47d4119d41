"""All tables as the code uses them; migrations/ creates them."""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.domain.exact import PRICE_PLACES, QUANTITY_PLACES, SHARE_PLACES
from ratekit.storage.db.types import (
    SHARE_DIGITS,
    TABLE,
    Exact,
    Instant,
    Word,
    digest,
    json_text,
    row_id,
)

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: A scope and its state. Commits compare and swap ``rated_until``. ``last_rated`` is the end of
#: the last period that was actually rated, NULL if none was: it differs from ``rated_until`` for a
#: scope that is new or has returned. ``active``: the scope is rated, because the fetcher lists it
#: or it is not yet rated to its end. ``deactivated_at``: when an operator stopped its rating, or
#: NULL. Commits compare ``resets``, too: only a reset moves ``rated_until`` back, to a time at
#: which an old batch may begin. ``rated_since``: start of its first period, NULL if that was not
#: recorded. ``period_seconds``: length of the periods that were rated last, NULL if none was.
#: ``metric_set_id``: the set of metrics in force at ``rated_until``, NULL if it is unknown.
#: ``writer``: a number of the transaction that last wrote frames of the scope; NULL if none did.
#: ``last_seen``: when the fetcher last listed the scope; where ``is_listed``, ``listed_at`` of its
#: scope key holds instead, so that a list in which nothing changes writes no scopes.
SCOPES = sa.Table(
    "scopes",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("scope_key", Word(), nullable=False),
    sa.Column("scope_id", Word(), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("fetcher", Word(), nullable=False),
    sa.Column("collector", Word(), nullable=False),
    sa.Column("rated_until", Instant, nullable=False),
    sa.Column("last_rated", Instant),
    sa.Column("last_seen", Instant, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("retry_at", Instant),
    sa.Column("deactivated_at", Instant),
    sa.Column("resets", sa.Integer, nullable=False, server_default="0"),
    sa.Column("period_seconds", sa.Integer),
    sa.Column("metric_set_id", row_id()),
    sa.Column("rated_since", Instant),
    sa.Column("writer", sa.BigInteger),
    sa.Column("is_listed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("scope_key", "scope_id"),
    **TABLE,
)

#: ``listed_at``: when the scopes of this key with ``is_listed`` were last listed.
SCOPE_LISTS = sa.Table(
    "scope_lists",
    METADATA,
    sa.Column("scope_key", Word(), primary_key=True),
    sa.Column("listed_at", Instant, nullable=False),
    sqlite_with_rowid=False,
    **TABLE,
)

#: A set of metrics by which scopes were rated; never changed or deleted. ``names`` is the
#: canonical JSON of the sorted public names, ``digest`` its SHA-256.
METRIC_SETS = sa.Table(
    "metric_sets",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("digest", digest(), nullable=False, unique=True),
    sa.Column("names", json_text(), nullable=False),
    **TABLE,
)

#: From ``begin`` until the scope's next change, the scope is rated by this set in periods of this
#: length: a metric of the set without a row in totals was silent. The length is NULL if it was not
#: recorded. The set is not declared as a foreign key, here and in scopes, because every processor
#: would lock the row in force, and rows of sets are never deleted.
METRIC_SET_CHANGES = sa.Table(
    "metric_set_changes",
    METADATA,
    sa.Column(
        "scope_id", row_id(), sa.ForeignKey("scopes.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("metric_set_id", row_id(), nullable=False),
    sa.Column("period_seconds", sa.Integer),
    sqlite_with_rowid=False,
    **TABLE,
)

#: A time range in which a scope is not rated. ``last_instant`` is the last instant before it; the
#: period that contains it is rated, whatever the length of periods is. ``resume`` is the start of
#: the first period after the gap, NULL while the scope is missing from the fetcher's lists. Rows
#: are never deleted, so that a scope that is reset is not charged for its gaps.
GAPS = sa.Table(
    "gaps",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("scope_id", row_id(), sa.ForeignKey("scopes.id"), nullable=False, index=True),
    sa.Column("last_instant", Instant, nullable=False),
    sa.Column("resume", Instant),
    **TABLE,
)

#: A resource that was excluded from a metric so that all others could be rated, over the periods
#: from ``begin`` to ``end``. It is still excluded while ``end`` equals the scope's
#: ``rated_until``.
EXCLUSIONS = sa.Table(
    "exclusions",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("scope_id", row_id(), sa.ForeignKey("scopes.id"), nullable=False, index=True),
    sa.Column("metric", Word(), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("begin", Instant, nullable=False),
    sa.Column("end", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("remedy", sa.Text, nullable=False),
    **TABLE,
)

#: A metric whose usage stopped in a scope and has not come back. ``since``: start of the first
#: period without usage.
STOPPED_USAGE = sa.Table(
    "stopped_usage",
    METADATA,
    sa.Column(
        "scope_id", row_id(), sa.ForeignKey("scopes.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("metric", Word(), primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sqlite_with_rowid=False,
    **TABLE,
)

#: A daemon's process that runs, or was killed. ``next_cycle``: when its next cycle starts, NULL
#: during a cycle. ``error``: why its last cycles ended before they had tried all that was due,
#: NULL if the last one did not. Only the process itself writes its row.
PROCESSORS = sa.Table(
    "processors",
    METADATA,
    sa.Column("scope_key", Word(), primary_key=True),
    sa.Column("name", Word(), primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("next_cycle", Instant),
    sa.Column("error", sa.Text),
    sa.Column("error_since", Instant),
    sqlite_with_rowid=False,
    **TABLE,
)

#: A metric with a distinct set of labels; never changed or deleted.
DESCRIPTORS = sa.Table(
    "descriptors",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("metric", Word(), nullable=False),
    sa.Column("unit", Word(), nullable=False),
    sa.Column("groupby", json_text(), nullable=False),
    sa.Column("metadata", json_text(), nullable=False),
    sa.Column("digest", digest(), nullable=False, unique=True),
    **TABLE,
)

#: A rated usage. Its two references are not declared as foreign keys: checks for each row make
#: PostgreSQL four times slower (350,000 frames a second without, 85,000 with), and the transaction
#: that writes the frame has read both from tables whose rows are never deleted. With this order of
#: the key, reports read one scope's time range in one scan. ``whole`` and ``share`` are those of
#: :class:`ratekit.domain.series.Shared`; both are NULL if the quantity is not shared, and in
#: frames from before revision 0008.
FRAMES = sa.Table(
    "frames",
    METADATA,
    sa.Column("scope_id", row_id(), primary_key=True, autoincrement=False),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("descriptor_id", row_id(), primary_key=True, autoincrement=False),
    sa.Column("quantity", Exact(QUANTITY_PLACES), nullable=False),
    sa.Column("price", Exact(PRICE_PLACES), nullable=False),
    sa.Column("whole", Exact(QUANTITY_PLACES)),
    sa.Column("share", Exact(SHARE_PLACES, SHARE_DIGITS)),
    sqlite_with_rowid=False,
    **TABLE,
)

#: The sums of a scope's period in one metric. The unit is in the key, so that each sum has one
#: unit even after a change of metrics.yml.
TOTALS = sa.Table(
    "totals",
    METADATA,
    sa.Column(
        "scope_id", row_id(), sa.ForeignKey("scopes.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("metric", Word(), primary_key=True),
    sa.Column("unit", Word(), primary_key=True),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("quantity", Exact(QUANTITY_PLACES), nullable=False),
    sa.Column("price", Exact(PRICE_PLACES), nullable=False),
    sqlite_with_rowid=False,
    **TABLE,
)

#: One row: frames and totals before these times were removed, or are being removed; NULL: none.
#: ``uses`` counts the transactions that rely on the row, so that each of them changes it.
PURGE_MARK = sa.Table(
    "purge_mark",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("frames_until", Instant),
    sa.Column("totals_until", Instant),
    sa.Column("uses", sa.BigInteger, nullable=False),
    **TABLE,
)

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

#: A scope's time range to reprocess. Swaps compare and swap ``next_begin``: all periods before it
#: are processed. ``state`` is queued, done or cancelled. Rows are never deleted.
TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("id", row_id(), primary_key=True),
    sa.Column("scope_id", row_id(), sa.ForeignKey("scopes.id"), nullable=False, index=True),
    sa.Column("begin", Instant, nullable=False),
    sa.Column("end", Instant, nullable=False),
    sa.Column("period_seconds", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(7), nullable=False),
    sa.Column("accept_silence", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("next_begin", Instant, nullable=False),
    sa.Column("state", sa.String(9), nullable=False, index=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("retry_at", Instant),
    sa.Column("ended_at", Instant),
    **TABLE,
)

#: What a task did to one period: ``outcome`` is swapped, same or kept. Rows are never deleted.
TASK_PERIODS = sa.Table(
    "task_periods",
    METADATA,
    sa.Column(
        "task_id", row_id(), sa.ForeignKey("tasks.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("outcome", sa.String(7), nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("old_points", sa.BigInteger, nullable=False),
    sa.Column("old_price", Exact(PRICE_PLACES), nullable=False),
    sa.Column("new_points", sa.BigInteger, nullable=False),
    sa.Column("new_price", Exact(PRICE_PLACES), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
    **TABLE,
)
