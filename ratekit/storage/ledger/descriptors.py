"""Distinct sets of labels: what stands for them, and the ids under which they are stored."""

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

#: Ids remembered by one process: about 200 bytes each.
REMEMBERED = 100_000

# ASCII, so that no database and no collation can take offence at what is in a label.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Descriptor(NamedTuple):
    """A metric with one set of labels; equal digests mean equal descriptors.

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
    """Return what stands for the labels of ``series``.

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
    """Return the labels that a descriptor's JSON holds."""
    found: dict[str, str | None] = json.loads(text)
    return found


class Descriptors:
    """Finds the ids of descriptors, storing those that are new.

    Ids of the latest are remembered, never results of a transaction that may yet fail.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._ids: collections.OrderedDict[bytes, int] = collections.OrderedDict()

    def resolve(
        self, connection: sa.Connection, wanted: Collection[Descriptor]
    ) -> Mapping[bytes, int]:
        """Return the id of each digest of ``wanted``."""
        missing = {one.digest: one for one in wanted}
        known = ((digest, self._ids.get(digest)) for digest in missing)
        ids = {digest: number for digest, number in known if number is not None}
        if not _still_true(connection, ids):
            self.forget()
            ids = {}
        ids.update(_stored(connection, sorted(missing.keys() - ids.keys())))
        # In the order of digests: two processors that store the same never wait in a circle.
        new = [missing[digest] for digest in sorted(missing.keys() - ids.keys())]
        if new:
            insert_new(connection, DESCRIPTORS, [one._asdict() for one in new])
            ids.update(_stored(connection, [one.digest for one in new]))
        return ids

    def remember(self, ids: Mapping[bytes, int]) -> None:
        """Keep ``ids`` of a transaction that was committed."""
        for digest, number in ids.items():
            self._ids[digest] = number
            self._ids.move_to_end(digest)
        while len(self._ids) > self._remembered:
            self._ids.popitem(last=False)

    def forget(self) -> None:
        """Forget all ids."""
        self._ids.clear()


def _still_true(connection: sa.Connection, ids: Mapping[bytes, int]) -> bool:
    """Tell whether remembered ids are those of this database.

    A database that was restored from a backup under a running processor lacks the latest
    descriptors, or has given their ids to others: the latest id tells for all.
    """
    if not ids:
        return True
    digest, number = max(ids.items(), key=lambda item: item[1])
    query = sa.select(DESCRIPTORS.c.digest).where(DESCRIPTORS.c.id == number)
    return bool(connection.execute(query).scalar() == digest)


def _stored(connection: sa.Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    query = sa.select(DESCRIPTORS.c.digest, DESCRIPTORS.c.id)
    return {
        row.digest: row.id
        for some in slices(digests)
        for row in connection.execute(query.where(DESCRIPTORS.c.digest.in_(some)))
    }
