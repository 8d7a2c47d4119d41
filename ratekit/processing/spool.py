"""Series that may be more than memory should hold: in memory up to a weight, else in a file."""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Generic, TypeVar

from ratekit import errors
from ratekit.domain.schedule.density import weigh
from ratekit.domain.series import RatedSeries, Series, add_points

T = TypeVar("T", Series, RatedSeries)

#: Values that are read from a file at once, for each run.
_CHUNK = 200


class Spool(Generic[T]):
    """Values in the order in which they were added; they may be read more than once.

    The file has no name, so it ends with the process. It is read only by the process that
    wrote it.

    :param limit: weight up to which values stay in memory
    :ivar series: number of values
    :ivar points: number of points of all of them
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: list[T] = []
        self._file: _ChunkFile[T] = _ChunkFile()
        self._runs: list[Sequence[int]] = []
        self.series = 0
        self.points = 0

    def add(self, values: Iterable[T]) -> None:
        """Add values.

        :raises ratekit.errors.NoSpace: the file cannot be written
        """
        for value in values:
            series = value.series if isinstance(value, RatedSeries) else value
            self.series += 1
            self.points += len(series.points)
            self._values.append(value)
        if weigh(self.series, self.points) > self._limit:
            self._runs.append(self._file.write(self._values))
            self._values = []

    def __iter__(self) -> Iterator[T]:
        """Yield all values.

        :raises ratekit.errors.NoSpace: the file cannot be read
        """
        for run in self._runs:
            yield from self._file.read(run)
        yield from self._values


class Merger:
    """Adds up series of several parts of the resources that have equal labels.

    Each part is sorted and written; all are merged while they are read, so memory holds a few
    series of each part.
    """

    def __init__(self) -> None:
        self._file: _ChunkFile[Series] = _ChunkFile()
        self._runs: list[Sequence[int]] = []

    def add(self, series: Iterable[Series]) -> None:
        """Add the series of one part and metric; their labels differ.

        :raises ratekit.errors.NoSpace: the file cannot be written
        """
        self._runs.append(self._file.write(sorted(series, key=_labels)))

    def merge(self) -> Iterator[Series]:
        """Yield one series for each distinct set of labels.

        :raises ratekit.errors.NoSpace: the file cannot be read
        """
        runs = [self._file.read(run) for run in self._runs]
        for _, equals in itertools.groupby(heapq.merge(*runs, key=_labels), key=_labels):
            yield functools.reduce(add_points, equals)


class _ChunkFile(Generic[T]):
    """A temporary file of pickled chunks, which is created when it is first written to."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def write(self, values: Sequence[T]) -> Sequence[int]:
        """Write values; return the positions of their chunks."""
        positions = []
        with _storage_errors():
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="ratekit-")  # noqa: SIM115 -- below
                weakref.finalize(self, self._file.close)
            self._file.seek(0, 2)
            for first in range(0, len(values), _CHUNK):
                positions.append(self._file.tell())
                pickle.dump(values[first : first + _CHUNK], self._file, pickle.HIGHEST_PROTOCOL)
        return positions

    def read(self, positions: Sequence[int]) -> Iterator[T]:
        """Yield the values of chunks; several readers may take turns."""
        for position in positions:
            with _storage_errors():
                assert self._file is not None
                self._file.seek(position)
                chunk = pickle.load(self._file)
            yield from chunk


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.NoSpace(
            f"cannot use a temporary file in {tempfile.gettempdir()}: {error.strerror}"
        ) from error


def _labels(series: Series) -> tuple[object, ...]:
    """Return a key that orders series by scope and labels."""
    return series.scope, _sortable(series.groupby), _sortable(series.metadata)


def _sortable(labels: Mapping[str, str | None]) -> list[tuple[str, bool, str]]:
    return sorted((name, value is None, value or "") for name, value in labels.items())
