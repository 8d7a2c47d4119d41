"""How ``ratekit scope show`` shows periods: a line for each metric, a column for each period."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ratekit.cmd.output import cells, layout
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import GapSpan, Kind, PeriodCoverage
from ratekit.domain.reporting.exclusion import ExclusionSpan
from ratekit.text import printable, utc_text

#: The sign of a period without frames, and its meaning in the legend.
_SIGNS = {
    Kind.SILENT: ("0", "silent"),
    Kind.PURGED: ("p", "purged"),
    Kind.NOT_RATED: (".", "not rated yet"),
    Kind.GAP: ("-", "gap, never rated"),
    Kind.NOT_CONFIGURED: ("x", "not in metrics.yml at that time"),
    Kind.BEFORE: ("<", "before the first period of the scope"),
    Kind.UNKNOWN: ("?", "unknown"),
}
#: Numbers of periods in a line, where not all fit.
_LINE_LENGTHS = (96, 72, 48, 24, 12, 8, 6, 4, 3, 2)


def timeline(window: Window, coverage: Mapping[str, Sequence[PeriodCoverage]]) -> cells.Cell:
    """Show the periods of each metric, oldest first; to machines a list with an object a metric."""
    machine = [
        {
            "metric": metric,
            "periods": [
                {
                    "begin": utc_text(period_coverage.begin),
                    "state": str(period_coverage.kind),
                    "points": period_coverage.points,
                }
                for period_coverage in periods
            ],
        }
        for metric, periods in coverage.items()
    ]
    return _Strip(window, coverage, machine)


def gaps(stretches: Sequence[GapSpan], step: datetime.timedelta) -> cells.Cell:
    """Show when a scope was not rated at all, a line each; to machines a list of objects.

    :param step: length of the periods
    """
    machine = [
        {
            # The period of the last instant is still rated.
            "begin": utc_text(period.floor(stretch.last_instant, step) + step),
            "end": None if stretch.resume is None else utc_text(stretch.resume),
        }
        for stretch in stretches
    ]
    lines = [f"{gap['begin']} to {gap['end'] or 'now'}" for gap in machine]
    return cells.block(len(lines), lines, machine)


def exclusions(spans: Sequence[ExclusionSpan]) -> cells.Cell:
    """Show which usage was not charged, a line each; to machines a list of objects."""
    machine = [
        {
            "resource": span.exclusion.resource,
            "metric": span.exclusion.metric,
            "begin": utc_text(span.begin),
            "end": utc_text(span.end),
            "reason": span.exclusion.reason,
            "remedy": span.exclusion.remedy,
        }
        for span in spans
    ]
    lines = [
        "{metric}: resource {resource}, {begin} to {end}: {reason}; {remedy}".format(**fields)
        for fields in machine
    ]
    return cells.block(len(lines), lines, machine)


class _Strip(cells.Cell):
    """The lines of all metrics, as long as the terminal is wide."""

    def __init__(
        self, window: Window, coverage: Mapping[str, Sequence[PeriodCoverage]], machine: Any
    ) -> None:
        super().__init__(0, "", machine)
        self._window = window
        self._coverage = coverage

    def lines(self, width: int | None) -> Sequence[str]:
        """Return the time range, parts of the strip, and a legend."""
        window = self._window
        length = cells.duration(window.step).text
        head = f"{utc_text(window.begin)} to {utc_text(window.end)}, {length} each"
        if not self._coverage:
            return [head, "no information about these periods"]
        kinds = {period.kind for periods in self._coverage.values() for period in periods}
        meanings = [
            f"{sign} {meaning}" for kind, (sign, meaning) in _SIGNS.items() if kind in kinds
        ]
        legend = [", ".join(meanings)] if meanings else []
        lines = [head, *self._parts(width), *legend]
        if width is None:
            return lines
        return [part for line in lines for part in layout.wrap(line, width)]

    def _parts(self, width: int | None) -> Iterator[str]:
        """Yield a line for each metric; several if they do not fit, each below its first time."""
        texts = {printable(name): list(map(_text, row)) for name, row in self._coverage.items()}
        name_width = max(map(layout.text_width, texts))
        columns = list(zip(*texts.values(), strict=True))
        widths = [max(map(len, column)) for column in columns]
        count = len(columns)
        if width is not None:
            count = _columns((width - name_width - 1) // (max(widths) + 1), count)
        for start in range(0, len(columns), count):
            if count < len(columns):
                yield f"from {utc_text(self._window.begin + start * self._window.step)}"
            end = start + count
            for name, row in texts.items():
                signs = zip(row[start:end], widths[start:end], strict=True)
                padding = " " * (name_width - layout.text_width(name))
                yield f"{name}{padding}  {' '.join(sign.rjust(space) for sign, space in signs)}"


def _columns(space: int, count: int) -> int:
    """Return how many periods a line has: all, or as many as fit and divide a day well."""
    if space >= count:
        return count
    return next((number for number in _LINE_LENGTHS if number <= space), 1)


def _text(period_coverage: PeriodCoverage) -> str:
    if period_coverage.kind is Kind.POINTS:
        return str(period_coverage.points)
    return _SIGNS[period_coverage.kind][0]
