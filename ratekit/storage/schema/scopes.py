"""Tables of scopes: how far each is rated, and by which processors."""

from __future__ import annotations

import sqlalchemy as sa

from ratekit.storage.db.types import TABLE, Instant, Word, digest, json_text, row_id
from ratekit.storage.schema.metadata import METADATA

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
