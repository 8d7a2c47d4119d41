"""A scope's periods at a glance: a line a metric, a column a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ratekit.cmd import formatting
from ratekit.domain.coverage import Cell, Kind
from ratekit.domain.period import Window

#: What stands for a cell without points, and what the line below says that it means.
_SIGNS = {
    Kind.SILENT: ("0", "silent"),
    Kind.NOT_RATED: (".", "not rated yet"),
    Kind.GAP: ("-", "in a gap, never rated"),
    Kind.NOT_CONFIGURED: ("x", "not in metrics.yml then"),
    Kind.UNKNOWN: ("?", "not known"),
}


def timeline(window: Window, cells: Mapping[str, Sequence[Cell]]) -> formatting.Cell:
    """Show cells, oldest first; to machines as a list of objects, one a metric."""
    machine = [
        {
            "metric": metric,
            "periods": [
                {
                    "begin": formatting.instant_text(one.begin),
                    "state": str(one.kind),
                    "points": one.points,
                }
                for one in line
            ],
        }
        for metric, line in cells.items()
    ]
    return formatting.Cell(0, "\n".join(_lines(window, cells)), machine)


def _lines(window: Window, cells: Mapping[str, Sequence[Cell]]) -> list[str]:
    begin, end = map(formatting.instant_text, (window.begin, window.end))
    lines = [f"{begin} to {end}, {formatting.duration(window.step).text} each"]
    if not cells:
        return [*lines, "nothing is known of them"]
    texts = {formatting.printable(metric): list(map(_text, line)) for metric, line in cells.items()}
    name = max(map(len, texts))
    widths = [max(map(len, column)) for column in zip(*texts.values(), strict=True)]
    for metric, line in texts.items():
        columns = (text.rjust(width) for text, width in zip(line, widths, strict=True))
        lines.append(f"{metric.ljust(name)}  {' '.join(columns)}")
    seen = {one.kind for line in cells.values() for one in line}
    meanings = [f"{sign} {meaning}" for kind, (sign, meaning) in _SIGNS.items() if kind in seen]
    return [*lines, *([", ".join(meanings)] if meanings else [])]


def _text(cell: Cell) -> str:
    return str(cell.points) if cell.kind is Kind.POINTS else _SIGNS[cell.kind][0]
