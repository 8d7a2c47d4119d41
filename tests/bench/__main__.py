"""``python -m tests.bench [PART ...] [--json FILE] [--full] [--rounds N]``."""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable

import pytest

from tests.bench import api, cli, idle, memory, pipeline, real, reports, rules, sharing, store
from tests.bench.figures import Report, Row
from tests.bench.options import Options

PARTS: dict[str, Callable[[Options], Iterable[Row]]] = {
    "pipeline": pipeline.run,
    "memory": memory.run,
    "store": store.run,
    "reports": reports.run,
    "idle": idle.run,
    "sharing": sharing.run,
    "cli": cli.run,
    "api": api.run,
    "rules": rules.run,
    "real": real.run,
}


def main() -> None:
    """Measure the parts, and print a table of each."""
    parser = argparse.ArgumentParser(prog="tests.bench", description="Prints figures.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures too")
    parser.add_argument("--full", action="store_true", help="large cases too; takes hours")
    parser.add_argument("--rounds", type=int, default=3, help="of each figure (%(default)s)")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"expected some of {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    report = Report(arguments.json)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(arguments.full, arguments.rounds, pathlib.Path(folder))
        for name in arguments.parts or PARTS:
            print(f"{name}:", file=sys.stderr, flush=True)
            try:
                report.add(name, PARTS[name](options))
            except pytest.skip.Exception as missing:
                print(f"{name} was skipped: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
