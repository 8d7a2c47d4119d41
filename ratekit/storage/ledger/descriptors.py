"""Descriptors: a metric with one distinct set of labels, and the id of its row."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.series import Series
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.lists import Digests, in_list
from ratekit.storage.db.types import require_word
from ratekit.storage.ledger.id_cache import IdCache
from ratekit.storage.schema import DESCRIPTORS

# The JSON is canonical: json.loads, which looks for blanks around it, takes three times as long.
_decode = json.JSONDecoder().raw_decode
#: Number of remembered ids of a slice that are compared with the database.
_SAMPLES = 100


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
    return _describe(series, digest_of(series))


def _describe(series: Series, digest: bytes) -> Descriptor:
    groupby, metadata = _canonical(series.groupby), _canonical(series.metadata)
    return Descriptor(digest, series.metric, series.unit, groupby, metadata)


def digest_of(series: Series) -> bytes:
    """Return the digest of a series' descriptor, without its parts, which few need.

    :raises ratekit.errors.OperatorError: the metric's name or unit is too long
    """
    groupby, metadata = series.groupby, series.metadata
    groupby_names, metadata_names, template = _whole_template(
        series.metric, series.unit, tuple(groupby), tuple(metadata)
    )
    values = [*map(groupby.__getitem__, groupby_names), *map(metadata.__getitem__, metadata_names)]
    return hashlib.sha256((template % _json(values)).encode("ascii")).digest()


def _canonical(labels_by_name: Mapping[str, str | None]) -> str:
    names, template = _template(tuple(labels_by_name))
    return template % _json(map(labels_by_name.__getitem__, names))


def _json(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return each value as JSON in ASCII: no database or collation can reject or change it."""
    return tuple(["null" if value is None else encode_basestring_ascii(value) for value in values])


# A sorting encoder takes 2.7 µs a digest, templates 2.0. All series of a metric have the same names
# of labels; 1,024 are more than metrics.yml has.
@functools.lru_cache(maxsize=1024)
def _template(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return sorted names, and the JSON of an object with these names and ``%s`` as values."""
    ordered_names = tuple(sorted(names))
    members = [f"{encode_basestring_ascii(name)}:".replace("%", "%%") for name in ordered_names]
    return ordered_names, "{" + ",".join(f"{member}%s" for member in members) + "}"


@functools.lru_cache(maxsize=1024)
def _whole_template(
    metric: str, unit: str, groupby: tuple[str, ...], metadata: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return sorted names, and the JSON that is hashed, with ``%s`` as values of labels."""
    require_word(metric)
    require_word(unit)
    start = f"[{encode_basestring_ascii(metric)},{encode_basestring_ascii(unit)},"
    groupby_names, groupby_template = _template(groupby)
    metadata_names, metadata_template = _template(metadata)
    whole = f"{start.replace('%', '%%')}{groupby_template},{metadata_template}]"
    return groupby_names, metadata_names, whole


def labels(text: str) -> dict[str, str | None]:
    """Return the labels in a descriptor's JSON."""
    labels_by_name: dict[str, str | None] = _decode(text)[0]
    return labels_by_name


class Descriptors:
    """Finds the row ids of descriptors; remembers those of transactions that were committed."""

    def __init__(self) -> None:
        self._cache = IdCache()

    def resolver(self) -> Resolver:
        """Return a resolver for one transaction."""
        return Resolver(self._cache)


class Resolver:
    """Finds the row ids of series in one transaction, and stores new descriptors.

    :param cache: of the process
    """

    def __init__(self, cache: IdCache) -> None:
        self._cache = cache
        self._new_ids: dict[bytes, int] = {}

    def resolve(self, connection: sa.Connection, all_series: Sequence[Series]) -> list[int]:
        """Return the row id of each series, in the same order.

        It takes at most three statements: one to check remembered ids and to read others, and one
        each to store new descriptors and to read their ids.
        """
        while True:
            ids, unknown_descriptors = self._look_up(all_series)
            descriptors = {
                descriptor.digest: descriptor for descriptor in unknown_descriptors.values()
            }
            samples = _choose_samples(all_series, ids)
            ids_by_digest = _read_ids(connection, sorted(descriptors), sorted(samples))
            if any(ids_by_digest.get(digest) != row_id for row_id, digest in samples.items()):
                self._cache.clear()
                continue
            # Sorted: processors that store the same descriptors at the same time cannot deadlock.
            new = [descriptors[digest] for digest in sorted(descriptors.keys() - ids_by_digest)]
            if new:
                insert_new(connection, DESCRIPTORS, [descriptor._asdict() for descriptor in new])
                digests = [descriptor.digest for descriptor in new]
                ids_by_digest |= _read_ids(connection, digests)
            for index, descriptor in unknown_descriptors.items():
                ids[index] = ids_by_digest[descriptor.digest]
            self._note(descriptors, ids_by_digest)
            return ids

    def remember(self) -> None:
        """Cache the ids: the transaction was committed."""
        self._cache.add(self._new_ids)

    def _look_up(self, all_series: Sequence[Series]) -> tuple[list[int], dict[int, Descriptor]]:
        """Return the remembered ids, 0 where there is none, and the descriptors of these places."""
        ids: list[int] = []
        unknown_descriptors: dict[int, Descriptor] = {}
        for index, series in enumerate(all_series):
            digest = digest_of(series)
            row_id = self._cache.get(digest)
            if row_id is None:
                unknown_descriptors[index] = _describe(series, digest)
            ids.append(row_id or 0)
        return ids, unknown_descriptors

    def _note(self, digests: Iterable[bytes], ids_by_digest: Mapping[bytes, int]) -> None:
        """Note ids that the cache has room for, and no others: batches may be large."""
        room = self._cache.room - len(self._new_ids)
        for digest in itertools.islice(digests, max(room, 0)):
            self._new_ids[digest] = ids_by_digest[digest]


def _choose_samples(all_series: Sequence[Series], ids: Sequence[int]) -> dict[int, bytes]:
    """Return remembered ids whose rows tell whether all are those of this database, with digests.

    If the database was restored from a backup while the processor was running, the latest
    descriptors are missing, or their ids are those of others. So the highest id is looked at; and,
    since it may be right by chance where processors stored the same labels in another order, some
    others: all of a small batch.

    :param ids: of the series; 0: not remembered
    """
    places = [index for index, row_id in enumerate(ids) if row_id]
    if not places:
        return {}
    samples = [*places[:: -(-len(places) // _SAMPLES)], ids.index(max(ids))]
    return {ids[index]: digest_of(all_series[index]) for index in samples}


def _read_ids(
    connection: sa.Connection, digests: Collection[bytes], row_ids: Collection[int] = ()
) -> dict[bytes, int]:
    """Return the ids of descriptors by digest, by at most one statement.

    :param row_ids: also the descriptors of these rows
    """
    queries = []
    columns = sa.select(DESCRIPTORS.c.digest, DESCRIPTORS.c.id)
    if digests:
        queries.append(columns.where(in_list(DESCRIPTORS.c.digest, digests, Digests)))
    if row_ids:
        queries.append(columns.where(in_list(DESCRIPTORS.c.id, row_ids)))
    if not queries:
        return {}
    return {digest: id_ for digest, id_ in connection.execute(sa.union_all(*queries))}
