"""Descriptors: a metric with one distinct set of labels, and the id of its row."""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.series import Series
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.engine import slices
from ratekit.storage.db.types import require_word
from ratekit.storage.schema import DESCRIPTORS

#: Maximum number of ids in the cache of one process: about 200 bytes each.
CACHE_SIZE = 100_000

# ASCII, so that no database or collation can reject or change a label.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Descriptor(NamedTuple):
    """A metric with one set of labels; descriptors are equal if their digests are.

    :ivar digest: SHA-256 of the canonical JSON of ``[metric, unit, groupby, metadata]``
    :ivar groupby: canonical JSON: sorted names, no spaces, ASCII
    :ivar metadata: the same
    """

    digest: bytes
    metric: str
    unit: str
    groupby: str
    metadata: str


def describe(series: Series) -> Descriptor:
    """Return the descriptor of ``series``.

    :raises ratekit.errors.OperatorError: the metric's name or unit is too long
    """
    require_word(series.metric)
    require_word(series.unit)
    groupby = _encode(series.groupby)
    metadata = _encode(series.metadata)
    text = f"[{_encode(series.metric)},{_encode(series.unit)},{groupby},{metadata}]"
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return Descriptor(digest, series.metric, series.unit, groupby, metadata)


def labels(text: str) -> dict[str, str | None]:
    """Return the labels in a descriptor's JSON."""
    labels_by_name: dict[str, str | None] = json.loads(text)
    return labels_by_name


class Descriptors:
    """Finds the row ids of descriptors, and stores new descriptors.

    It caches the latest ids, but only ids from transactions that were committed.
    """

    def __init__(self, cache_size: int = CACHE_SIZE) -> None:
        self._cache_size = cache_size
        self._ids: collections.OrderedDict[bytes, int] = collections.OrderedDict()

    def resolve(
        self, connection: sa.Connection, descriptors: Collection[Descriptor]
    ) -> Mapping[bytes, int]:
        """Return the row id of each descriptor, by digest."""
        by_digest = {descriptor.digest: descriptor for descriptor in descriptors}
        ids = {digest: self._ids[digest] for digest in by_digest if digest in self._ids}
        if not _is_current(connection, ids):
            self.forget()
            ids = {}
        ids.update(_read_ids(connection, sorted(by_digest.keys() - ids.keys())))
        # Sorted: processors that store the same descriptors at the same time cannot deadlock.
        new = [by_digest[digest] for digest in sorted(by_digest.keys() - ids.keys())]
        if new:
            insert_new(connection, DESCRIPTORS, [descriptor._asdict() for descriptor in new])
            ids.update(_read_ids(connection, [descriptor.digest for descriptor in new]))
        return ids

    def remember(self, ids: Mapping[bytes, int]) -> None:
        """Cache the ids of a transaction that was committed."""
        for digest, row_id in ids.items():
            self._ids[digest] = row_id
            self._ids.move_to_end(digest)
        while len(self._ids) > self._cache_size:
            self._ids.popitem(last=False)

    def forget(self) -> None:
        """Clear the cache."""
        self._ids.clear()


def _is_current(connection: sa.Connection, ids: Mapping[bytes, int]) -> bool:
    """Return whether cached ids are those of this database.

    If the database was restored from a backup while the processor was running, the latest
    descriptors are missing, or others have their ids. Checking the highest id is enough.
    """
    if not ids:
        return True
    digest, row_id = max(ids.items(), key=lambda pair: pair[1])
    query = sa.select(DESCRIPTORS.c.digest).where(DESCRIPTORS.c.id == row_id)
    return bool(connection.execute(query).scalar() == digest)


def _read_ids(connection: sa.Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    query = sa.select(DESCRIPTORS.c.digest, DESCRIPTORS.c.id)
    return {
        row.digest: row.id
        for part in slices(digests)
        for row in connection.execute(query.where(DESCRIPTORS.c.digest.in_(part)))
    }
