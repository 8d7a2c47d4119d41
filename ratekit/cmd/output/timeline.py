"""How ``ratekit scope show`` shows periods: a line for each metric, a column for each period."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from ratekit.cmd.output import cells
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import GapSpan, Kind, PeriodCoverage
from ratekit.domain.reporting.exclusion import ExclusionSpan
from ratekit.text import printable, utc_text

#: The sign of a period without frames, and its meaning in the legend.
_SIGNS = {
    Kind.SILENT: ("0", "silent"),
    Kind.NOT_RATED: (".", "not rated yet"),
    Kind.GAP: ("-", "gap, never rated"),
    Kind.NOT_CONFIGURED: ("x", "not in metrics.yml at that time"),
    Kind.BEFORE: ("<", "before the first period of the scope"),
    Kind.UNKNOWN: ("?", "unknown"),
}


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
    return cells.block(0, _lines(window, coverage), machine)


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


def _lines(window: Window, coverage: Mapping[str, Sequence[PeriodCoverage]]) -> list[str]:
    length = cells.duration(window.step).text
    lines = [f"{utc_text(window.begin)} to {utc_text(window.end)}, {length} each"]
    if not coverage:
        return [*lines, "no information about these periods"]
    texts = {printable(metric): list(map(_text, periods)) for metric, periods in coverage.items()}
    name_width = max(map(len, texts))
    widths = [max(map(len, column)) for column in zip(*texts.values(), strict=True)]
    for metric, line in texts.items():
        columns = (text.rjust(width) for text, width in zip(line, widths, strict=True))
        lines.append(f"{metric.ljust(name_width)}  {' '.join(columns)}")
    kinds = {period_coverage.kind for periods in coverage.values() for period_coverage in periods}
    legend = [f"{sign} {meaning}" for kind, (sign, meaning) in _SIGNS.items() if kind in kinds]
    return [*lines, *([", ".join(legend)] if legend else [])]


def _text(period_coverage: PeriodCoverage) -> str:
    if period_coverage.kind is Kind.POINTS:
        return str(period_coverage.points)
    return _SIGNS[period_coverage.kind][0]
