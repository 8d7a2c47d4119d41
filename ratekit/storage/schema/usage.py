"""Tables of rated usage: frames, their labels and their sums."""

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
from ratekit.storage.schema.metadata import METADATA


def _sums(name: str) -> sa.Table:
    """Define a table of sums of frames by scope, time, metric and unit."""
    return sa.Table(
        name,
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
TOTALS = _sums("totals")

#: The sums of the totals that begin on one day, for reports over many scopes or a long time: a
#: twenty-fourth of the rows. ``begin`` is the start of a day in UTC. Whoever changes totals changes
#: them in the same transaction.
DAILY_TOTALS = _sums("daily_totals")

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
