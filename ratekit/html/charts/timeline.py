"""What happened when: a strip of time for each row."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from markupsafe import Markup

from ratekit.domain.reporting.buckets import list_buckets
from ratekit.html.charts.axis import add_bucket_labels, add_drawing
from ratekit.html.charts.markup import Element, add, empty, figure, legend, percent, pixels, write

#: Pixels of a row: its name, its strip, and all of it.
_NAME, _STRIP, _ROW = 14, 16, 42
_AXIS = 28
#: A strip is at least so wide, as a part of all, so that one lost hour of a month is seen.
_MIN_WIDTH = 0.004
#: Most buckets that the axis of time has.
_MAX_BUCKETS = 48
#: Most characters of a row's name.
_MAX_NAME = 44
_FORMS = (
    ("hour", "%H:%M"),
    ("day", "%m-%d"),
    ("week", "%m-%d"),
    ("month", "%Y-%m"),
    ("year", "%Y"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A part of a row's time.

    :ivar begin: aware
    :ivar end: aware, exclusive
    :ivar kind: a word such as ``not rated yet``; the stylesheet has ``kind-not-rated-yet``
    :ivar link: address of what explains it; None: there is none
    """

    begin: datetime.datetime
    end: datetime.datetime
    kind: str
    link: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class TimelineRow:
    """A name and the parts of its time, in any order; what lies outside is cut."""

    label: str
    spans: Sequence[Span]


def timeline(
    title: str,
    rows: Sequence[TimelineRow],
    begin: datetime.datetime,
    end: datetime.datetime,
    zone: datetime.tzinfo,
) -> Markup:
    """Draw rows of time one below the other, over an axis in the zone.

    :param begin: aware
    :param end: aware, after ``begin``
    :returns: a figure with caption and legend
    """
    if not rows:
        return empty(figure(title), "Nothing to show.")
    whole = figure(title, f"({zone})")
    kinds = sorted({span.kind for row in rows for span in row.spans})
    legend(whole, [(_class(kind), kind) for kind in kinds])
    has_links = any(span.link for row in rows for span in row.spans)
    height = len(rows) * _ROW + _AXIS
    role = "group" if has_links else "img"
    text = f"{title}, {_times_text(begin, end, zone)}: {', '.join(kinds)}"
    drawing = add_drawing(whole, text, role, height, "chart-timeline")
    starts, form = _time_axis(begin, end, zone)
    edges = [(max(start, begin) - begin) / (end - begin) for start in starts]
    for index, row in enumerate(rows):
        top = index * _ROW
        name = add(
            drawing, "text", _cut(row.label), class_="chart-name", x="0", y=pixels(top + _NAME)
        )
        add(name, "title", row.label)
        _add_lines(drawing, edges, top + _NAME + 3)
        for span in row.spans:
            _add_span(drawing, row.label, span, (begin, end), zone, top + _NAME + 6)
    labels = [f"{start.astimezone(zone):{form}}" for start in starts]
    add_bucket_labels(drawing, labels, height - 8, edges)
    return write(whole)


def _add_span(
    drawing: Element,
    label: str,
    span: Span,
    limits: tuple[datetime.datetime, datetime.datetime],
    zone: datetime.tzinfo,
    top: float,
) -> None:
    begin, end = limits
    start, stop = max(span.begin, begin), min(span.end, end)
    if start >= stop:
        return
    text = f"{label}: {span.kind}, {_times_text(start, stop, zone)}"
    parent = drawing
    if span.link is not None:
        parent = add(drawing, "a", href=span.link, aria_label=text)
    width = max((stop - start) / (end - begin), _MIN_WIDTH)
    strip = add(
        parent,
        "rect",
        class_=_class(span.kind),
        x=percent(min((start - begin) / (end - begin), 1 - width)),
        width=percent(width),
        y=pixels(top),
        height=pixels(_STRIP),
    )
    add(strip, "title", text)


def _add_lines(drawing: Element, edges: Sequence[float], top: float) -> None:
    """Append lines where hours, days, weeks or months start, behind a strip."""
    for edge in edges:
        x = percent(edge)
        line = add(drawing, "line", class_="chart-line", x1=x, x2=x, y1=pixels(top))
        line.set("y2", pixels(top + _STRIP + 6))


def _time_axis(
    begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo
) -> tuple[list[datetime.datetime], str]:
    """Return the starts of hours, days, weeks, months or years, and the form of their names."""
    for bucket, form in _FORMS:
        starts = list_buckets(begin, end, bucket, zone, _MAX_BUCKETS)
        if len(starts) <= _MAX_BUCKETS:
            return starts, form
    return starts[:_MAX_BUCKETS], form


def _times_text(begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo) -> str:
    return " to ".join(f"{time.astimezone(zone):%Y-%m-%d %H:%M}" for time in (begin, end))


def _cut(label: str) -> str:
    """Shorten a name to what fits on a telephone."""
    return label if len(label) <= _MAX_NAME else f"{label[: _MAX_NAME - 1]}\u2026"


def _class(kind: str) -> str:
    return "kind-" + "-".join(kind.split())
