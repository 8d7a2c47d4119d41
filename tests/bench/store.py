"""Part *store*: what each database takes for storing and listing frames.

Only ratekit's process counts for CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.schema import DESCRIPTORS, FRAMES, TOTALS
from ratekit.storage.sql import open_storage
from tests.bench import ledger_data
from tests.bench.figures import Row, measure, measure_reference, median_row
from tests.bench.options import Options
from tests.bench.stages import Statements
from tests.databases import BACKENDS, new_database

PART = "store"
_SCOPES = ledger_data.build_scopes(40)
#: Series of each scope and metric.
_SERIES = 25


class Case(NamedTuple):
    """What to commit.

    :ivar is_new: the labels were never stored before
    """

    periods: int
    is_new: bool


_CASES = (Case(24, True), Case(24, False), Case(1, True), Case(1, False))


def run(options: Options) -> Iterator[Row]:
    """Yield the figures of each database."""
    statements = Statements()
    for backend in BACKENDS:
        with new_database(backend, options.folder) as url:
            migrate.upgrade(url)
            storage = open_storage(
                url, scope_key="project_id", fetcher="static", collector="gnocchi"
            )
            yield from _measure_commits(backend, storage, options, statements)
            yield _measure_listing(backend, storage)
            if backend == "postgresql":
                yield _measure_size(url)


def _measure_commits(
    backend: str, storage: Storage, options: Options, statements: Statements
) -> Iterator[Row]:
    first = 0
    for case in _CASES:
        results = []
        for _ in range(options.rounds):
            # The first labels are new in any case.
            first += _SERIES if case.is_new else 0
            states = ledger_data.observe(storage, _SCOPES)
            batch = ledger_data.build_batch(states, case.periods, range(first, first + _SERIES))
            frames, before = len(list(batch.series)) * case.periods, statements.count
            reference = measure_reference()
            usage = measure(lambda batch=batch: ledger_data.commit(storage, batch))  # type: ignore[misc]
            values = {
                "frames": frames,
                "CPU µs/frame": usage.cpu / frames * 1e6,
                "frames/s": frames / usage.wall,
                "statements": statements.count - before,
            }
            results.append((values, reference))
        name = f"{backend} commit, {case.periods} x 3600 s, {'new' if case.is_new else 'known'}"
        yield median_row(PART, name, results)


def _measure_listing(backend: str, storage: Storage) -> Row:
    count = 0

    def list_frames() -> None:
        nonlocal count
        count = sum(1 for _ in storage.reports.frames(Selection(scopes=ALL_SCOPES)))

    reference = measure_reference()
    usage = measure(list_frames)
    values = {
        "frames": count,
        "CPU µs/frame": usage.cpu / count * 1e6,
        "frames/s": count / usage.wall,
    }
    return Row(PART, f"{backend} list all frames", values, reference)


def _measure_size(url: str) -> Row:
    """Return the size on disk, indexes included, after what the commits wrote."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    values = {}
    with engine.connect() as connection:
        for table in (FRAMES, TOTALS, DESCRIPTORS):
            connection.exec_driver_sql(f"VACUUM ANALYZE {table.name}")
            count = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            size = connection.scalar(sa.select(sa.func.pg_total_relation_size(table.name))) or 0
            values[f"bytes/row of {table.name}"] = size / count
    return Row(PART, "postgresql, size with indexes", values, measure_reference())
