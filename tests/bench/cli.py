"""Part *cli*: how long commands take that have nearly nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

from ratekit.storage.sql import build_storage
from tests.bench import ledger_data
from tests.bench.commands import measure_command
from tests.bench.deployment import deploy
from tests.bench.figures import Row, measure_reference, median_row
from tests.bench.options import Options
from tests.databases import new_database

PART = "cli"
_SCOPES = ledger_data.build_scopes(10)
_PERIODS = 24


def run(options: Options) -> Iterator[Row]:
    """Yield the CPU time of whole commands, start of Python included."""
    with new_database("postgresql", options.folder) as url:
        names = [scope.id for scope in _SCOPES]
        deployment = deploy(options.folder, url, "http://127.0.0.1:9", names)
        storage = build_storage(deployment.conf)
        states = ledger_data.observe(storage, _SCOPES)
        version = storage.rules.read().version
        batch = ledger_data.build_batch(states, _PERIODS, range(3), version)
        ledger_data.commit(storage, batch)
        for arguments in (
            ("--version",),
            ("scope", "list"),
            ("summary", "--scope", names[0], "--begin", "2026-01-01", "--end", "2026-02-01"),
        ):
            results = []
            for _ in range(options.rounds):
                reference = measure_reference()
                usage = measure_command(*arguments, conf_path=deployment.conf_path)
                results.append(({"CPU s": usage.cpu, "wall s": usage.wall}, reference))
            yield median_row(PART, f"ratekit {' '.join(arguments[:2])}", results)
