"""The values of the replay: a third few distinct ones, a third counters, a third all distinct.

No memory of earlier results speeds these up by more than real data would.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import NamedTuple

from tests.bench.replay.resources import EPOCH, Piece

#: Metrics by the type of their resources.
METRICS = {
    "instance": ("cpu", "memory.usage"),
    "volume": ("volume.size",),
    "snapshot": ("snapshot.size",),
}
#: Distinct values of a gauge that rarely changes.
_SIZES = 32
_MICROSECOND = datetime.timedelta(microseconds=1)


class Grid(NamedTuple):
    """The buckets of a query: all that begin in ``start <= t < stop``.

    :ivar granularity: seconds
    """

    start: datetime.datetime
    stop: datetime.datetime
    granularity: int


def aggregates(metric: str, number: int, grid: Grid) -> str:
    """Return the JSON of a resource's buckets, if it did not change meanwhile."""
    if metric == "cpu":
        factors = _factors(number)
        template, steps = _counter_template(grid)
        return template % tuple([factors[0] + factors[1] * u + factors[2] * v for u, v in steps])
    if metric == "memory.usage":
        return _distinct_template(grid).replace("#", _digits(number))
    return _size_text(grid, number % _SIZES)


def piece_aggregates(metric: str, number: int, grid: Grid, piece: Piece) -> str:
    """Return the JSON of the buckets of one revision, of several.

    As Gnocchi does, it multiplies each value by the share of the bucket that is the revision's.
    """
    step = datetime.timedelta(seconds=grid.granularity)
    value = _value_function(metric, number)
    texts = []
    for begin in _begins(grid):
        covered = min(piece.end, begin + step) - max(piece.begin, begin)
        if covered > datetime.timedelta(0):
            share = (covered // _MICROSECOND) / (step // _MICROSECOND)
            texts.append(_bucket(begin, grid, repr(value(_index(begin, grid)) * share)))
    return f"[{', '.join(texts)}]"


def _value_function(metric: str, number: int) -> Callable[[int], float]:
    if metric == "cpu":
        base, slope, noise = _factors(number)
        return lambda index: float(base + slope * index + noise * _noise(index))
    if metric == "memory.usage":
        digits = _digits(number)
        return lambda index: float(f"{digits}{_suffix(index)}")
    return lambda index: _size(number % _SIZES)


def _factors(number: int) -> tuple[int, int, int]:
    """Return base and two slopes of a counter; no two resources have the same."""
    mixed = (number + 1) * 2_654_435_761 % (1 << 32)
    return mixed * 100, 1_000_000 + mixed % 999_983, 1 + mixed % 9_973


def _noise(index: int) -> int:
    """Return a sequence that grows by another number each time."""
    return index * 500 + index * 7_919 % 997


def _digits(number: int) -> str:
    """Return the first 11 digits of a resource's values, with the point."""
    mixed = (number + 1) * 2_654_435_761 % (1 << 40)
    return f"{1000 + mixed % 9000}.{mixed // 9000 % 10_000_000:07}"


def _suffix(index: int) -> str:
    """Return the last six digits of a bucket's values; the last one is never 0."""
    return f"{index * 7_919 % 100_000:05}{index % 9 + 1}"


def _size(kind: int) -> float:
    return float(10 * (1 + kind))


def _index(begin: datetime.datetime, grid: Grid) -> int:
    return (begin - EPOCH) // datetime.timedelta(seconds=grid.granularity) + 10_000


def _bucket(begin: datetime.datetime, grid: Grid, value: str) -> str:
    return f'["{begin.isoformat()}", {float(grid.granularity)}, {value}]'


def _template(grid: Grid, value: Callable[[int], str]) -> str:
    buckets = (_bucket(begin, grid, value(_index(begin, grid))) for begin in _begins(grid))
    return f"[{', '.join(buckets)}]"


# All scopes of a batch, and most batches of a cycle, are asked for the same buckets.


@functools.lru_cache(maxsize=64)
def _begins(grid: Grid) -> tuple[datetime.datetime, ...]:
    step = datetime.timedelta(seconds=grid.granularity)
    return tuple(grid.start + index * step for index in range(-((grid.start - grid.stop) // step)))


@functools.lru_cache(maxsize=64)
def _counter_template(grid: Grid) -> tuple[str, list[tuple[int, int]]]:
    indexes = [_index(begin, grid) for begin in _begins(grid)]
    return _template(grid, lambda _: "%d.0"), [(index, _noise(index)) for index in indexes]


@functools.lru_cache(maxsize=64)
def _distinct_template(grid: Grid) -> str:
    return _template(grid, lambda index: f"#{_suffix(index)}")


@functools.lru_cache(maxsize=64 * _SIZES)
def _size_text(grid: Grid, kind: int) -> str:
    return _template(grid, lambda _: repr(_size(kind)))
