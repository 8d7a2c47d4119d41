"""The table and the JSON file that the benchmarks write."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import prettytable

from ratekit.cmd import startup

#: What the reference work parses.
_TEXT = json.dumps(
    [[f"2026-01-01T{index % 24:02}:00:00+00:00", 3600.0, index / 7] for index in range(2_000)]
)
_REFERENCE_ROUNDS = 9


class Usage(NamedTuple):
    """What a piece of work took.

    :ivar wall: seconds
    :ivar cpu: CPU seconds of this process
    """

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    :ivar part: the benchmark
    :ivar case: what was measured
    :ivar values: figures by column; a column's name ends with its unit
    :ivar reference: :func:`measure_reference`, at the same time
    """

    part: str
    case: str
    values: Mapping[str, float]
    reference: float


def measure_reference() -> float:
    """Return what ``json.loads`` of a known text costs now: CPU microseconds, median.

    Figures of different machines and days, or beside other load, compare by it.
    """
    costs = []
    for _ in range(_REFERENCE_ROUNDS):
        start = time.process_time()
        json.loads(_TEXT)
        costs.append(time.process_time() - start)
    return statistics.median(costs) * 1e6


def measure(work: Callable[[], object]) -> Usage:
    """Do some work once; return what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Usage(time.perf_counter() - wall, time.process_time() - cpu)


def median_row(part: str, case: str, rows: Sequence[tuple[Mapping[str, float], float]]) -> Row:
    """Return the median of each column over rounds.

    :param rows: of each round the values and the reference
    """
    columns = rows[0][0]
    values = {name: statistics.median(row[name] for row, _ in rows) for name in columns}
    return Row(part, case, values, statistics.median(reference for _, reference in rows))


class Report:
    """Prints each part's table when it is complete, and writes each row to a file at once.

    :param path: the file; None: none
    """

    def __init__(self, path: pathlib.Path | None) -> None:
        self._path = path
        self._rows: list[Row] = []

    def add(self, part: str, rows: Iterable[Row]) -> None:
        """Print the table of a part, and remember it; what an interruption leaves of it, too."""
        part_rows: list[Row] = []
        try:
            for row in rows:
                print(f"  {row.case}", file=sys.stderr, flush=True)
                part_rows.append(row)
                self._rows.append(row)
                self._write()
        finally:
            print(f"\n{part}\n{_table(part_rows)}", flush=True)

    def _write(self) -> None:
        if self._path is None:
            return
        content: dict[str, Any] = {
            "time": startup.now().isoformat(timespec="seconds"),
            "version": _version(),
            "python": platform.python_version(),
            "rows": [dataclasses.asdict(row) for row in self._rows],
        }
        self._path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _table(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row.values))
    table = prettytable.PrettyTable(["", *columns, "reference µs"])
    table.set_style(prettytable.TableStyle.PLAIN_COLUMNS)
    table.right_padding_width = 2
    table.align = "r"
    table.align[""] = "l"
    for row in rows:
        cells = [_number_text(row.values.get(name)) for name in columns]
        table.add_row([row.case, *cells, f"{row.reference:.0f}"])
    return table.get_string()


def _number_text(value: float | None) -> str:
    """Write a number with three significant digits, or all before the point."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _version() -> str:
    """Return the commit that is measured; the package's version outside of a clone."""
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=pathlib.Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return startup.version()
    return result.stdout.strip()
