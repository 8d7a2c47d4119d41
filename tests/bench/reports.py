"""Part *reports*: sums over a month of many scopes."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import parse
from ratekit.storage.sql import build_storage
from tests.bench import ledger_data
from tests.bench.commands import measure_command
from tests.bench.deployment import deploy
from tests.bench.figures import Row, measure, measure_reference, median_row
from tests.bench.options import Options
from tests.databases import new_database

PART = "reports"
_PERIODS = 30 * 24
#: Scopes and periods that one transaction writes.
_BATCH_SCOPES = 100
_BATCH_PERIODS = 24
_BEGIN, _END = "2026-01-01", "2026-01-31"


def run(options: Options) -> Iterator[Row]:
    """Yield what reports take on PostgreSQL: the query alone, and the whole command."""
    count = 1_000 if options.is_full else 200
    with new_database("postgresql", options.folder) as url:
        scopes = ledger_data.build_scopes(count)
        deployment = deploy(
            options.folder, url, "http://127.0.0.1:9", [scope.id for scope in scopes]
        )
        storage = build_storage(deployment.conf)
        _fill(storage, count)
        _analyze(url)
        cases: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
            ("by scope", ("scope",), ()),
            ("by scope, day, metric", ("scope", "day", "metric"), ()),
            ("of one scope by metric", ("metric",), (scopes[0].id,)),
        )
        for name, keys, selected in cases:
            selection = Selection(
                ledger_data.BEGIN,
                ledger_data.BEGIN + _PERIODS * ledger_data.HOUR,
                scopes=frozenset(selected) if selected else ALL_SCOPES,
            )
            arguments = ["summary", "--groupby", ",".join(keys), "--begin", _BEGIN, "--end", _END]
            arguments += [part for id_ in selected for part in ("--scope", id_)]
            results = []
            for _ in range(options.rounds):
                reference = measure_reference()
                query = measure(functools.partial(_read, storage, selection, keys))
                command = measure_command(*arguments, "-f", "csv", conf_path=deployment.conf_path)
                values = {
                    "query s": query.wall,
                    "of it CPU s": query.cpu,
                    "command s": command.wall,
                    "of it CPU s.": command.cpu,
                }
                results.append((values, reference))
            yield median_row(PART, f"{count:,} scopes, a month, {name}", results)


def _analyze(url: str) -> None:
    """Do what autovacuum does on a server that runs for more than minutes."""
    engine = sa.create_engine(parse(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _read(storage: Storage, selection: Selection, keys: Sequence[str]) -> None:
    """Read a whole report; rows come as they are asked for."""
    for _ in storage.reports.summary(selection, keys, datetime.UTC):
        pass


def _fill(storage: Storage, count: int) -> None:
    """Store a month of frames: each scope has one resource of each metric."""
    version = storage.rules.read().version
    scopes = ledger_data.build_scopes(count)
    for _ in range(_PERIODS // _BATCH_PERIODS):
        states = ledger_data.observe(storage, scopes)
        for first in range(0, len(states), _BATCH_SCOPES):
            batch = ledger_data.build_batch(
                states[first : first + _BATCH_SCOPES], _BATCH_PERIODS, range(1), version
            )
            ledger_data.commit(storage, batch)
