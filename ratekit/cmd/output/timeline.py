"""A scope's periods at a glance: a line a metric, a column a period."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from ratekit.cmd.output import cells as formatting
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import ExclusionSpan, Kind, PeriodCoverage, Stretch

#: What stands for a cell without points, and what the line below says that it means.
_SIGNS = {
    Kind.SILENT: ("0", "silent"),
    Kind.NOT_RATED: (".", "not rated yet"),
    Kind.GAP: ("-", "in a gap, never rated"),
    Kind.NOT_CONFIGURED: ("x", "not in metrics.yml then"),
    Kind.BEFORE: ("<", "before its first period"),
    Kind.UNKNOWN: ("?", "not known"),
}


def timeline(window: Window, cells: Mapping[str, Sequence[PeriodCoverage]]) -> formatting.Cell:
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


def gaps(stretches: Sequence[Stretch], step: datetime.timedelta) -> formatting.Cell:
    """Show where a scope was not rated at all, a line each; to machines a list of objects.

    :param step: length of the periods
    """
    machine = [
        {
            # The period of the last instant is still rated.
            "begin": formatting.instant_text(period.floor(one.last_instant, step) + step),
            "end": None if one.resume is None else formatting.instant_text(one.resume),
        }
        for one in stretches
    ]
    lines = [f"{one['begin']} to {one['end'] or 'now'}" for one in machine]
    return formatting.Cell(len(lines), "\n".join(lines), machine)


def left_out(exclusions: Sequence[ExclusionSpan]) -> formatting.Cell:
    """Show what was not charged for, a line each; to machines a list of objects."""
    machine = [
        {
            "resource": one.resource,
            "metric": one.metric,
            "begin": formatting.instant_text(one.begin),
            "end": formatting.instant_text(one.end),
            "reason": one.reason,
            "remedy": one.remedy,
        }
        for one in exclusions
    ]
    lines = [
        formatting.printable(
            "{metric}: resource {resource}, {begin} to {end}: {reason}; {remedy}".format(**one)
        )
        for one in machine
    ]
    return formatting.Cell(len(lines), "\n".join(lines), machine)


def _lines(window: Window, cells: Mapping[str, Sequence[PeriodCoverage]]) -> list[str]:
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


def _text(cell: PeriodCoverage) -> str:
    return str(cell.points) if cell.kind is Kind.POINTS else _SIGNS[cell.kind][0]
