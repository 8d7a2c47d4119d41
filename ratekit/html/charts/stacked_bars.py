"""Bars of several series, one above the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from markupsafe import Markup

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.html.charts.axis import add_bucket_labels, add_value_axis
from ratekit.html.charts.markup import Element, add, empty, figure, legend, percent, pixels, write
from ratekit.html.charts.scale import Scale, grouped, scale_of
from ratekit.text import count_text

#: More series than this are hard to tell apart; the cheapest are added up.
MAX_SERIES = 8
#: Pixels.
_HEIGHT, _TOP, _BOTTOM = 260, 10, 28
_PLOT = _HEIGHT - _TOP - _BOTTOM
#: Part of a bucket's width that its bar takes.
_BAR = 0.8
#: A day, or an hour of one, perhaps with the zone's name of the time.
_TIME = re.compile(r"[0-9]{4}-([0-9]{2}-[0-9]{2})(?: ([0-9]{2}:[0-9]{2}(?: \S+)?))?\Z")


def stacked_bars(
    title: str,
    buckets: Sequence[str],
    series: Mapping[str, Sequence[Decimal]],
    unit: str,
    links: Mapping[str, str] | None = None,
    value_text: Callable[[Decimal], str] = grouped,
    has_rest: bool = False,
) -> Markup:
    """Draw a bar for each bucket, negative values below zero.

    :param buckets: in order, unique; the axis has a day such as ``2026-01-31``, or an hour of
        one, without its year, and hours of a single day without the day
    :param series: a value for each bucket; the first is at the bottom. Of more than
        :data:`MAX_SERIES` those with the smallest sums become ``other``
    :param unit: of the values, such as EUR; empty: none
    :param links: address of each bucket; a bucket without one is no link
    :param value_text: how a value is written where somebody looks at its bar
    :param has_rest: the last series stands for all others, and has their colour
    :returns: a figure with caption and legend
    """
    links = links or {}
    visible = _most_important(series)
    columns = [[values[index] for values in visible.values()] for index in range(len(buckets))]
    if not any(any(column) for column in columns):
        return empty(figure(title), "Nothing to show: no costs in this time.")
    scale = scale_of([edge for column in columns for edge in _edges(column)])
    whole = figure(title, scale.unit_text(unit))
    classes = _classes(visible, has_rest or len(series) > MAX_SERIES)
    legend(whole, list(zip(classes, visible, strict=True)))
    # Children of an image cannot be links.
    role = "group" if links else "img"
    totals = _list_totals(buckets, columns, unit, value_text)
    sentence = _sentence(title, columns, totals)
    drawing = add_value_axis(whole, sentence, scale, role, _HEIGHT, _TOP, _PLOT)
    for index, (bucket, column) in enumerate(zip(buckets, columns, strict=True)):
        texts = [
            f"{bucket}, {name}: {_amount(value, unit, value_text)}"
            for name, value in zip(visible, column, strict=True)
        ]
        parent = _add_column(drawing, index, len(buckets), totals[index], links.get(bucket))
        _add_bar(
            parent,
            (index + (1 - _BAR) / 2) / len(buckets),
            _BAR / len(buckets),
            scale,
            [(kind, value, text) for kind, value, text in zip(classes, column, texts, strict=True)],
        )
    add_bucket_labels(drawing, _axis_names(buckets), _HEIGHT - 8)
    return write(whole)


def _list_totals(
    buckets: Sequence[str],
    columns: Sequence[Sequence[Decimal]],
    unit: str,
    value_text: Callable[[Decimal], str],
) -> Sequence[str]:
    """Return each bucket with its sum."""
    return [
        f"{bucket}: {_amount(add_up(column), unit, value_text)}"
        for bucket, column in zip(buckets, columns, strict=True)
    ]


def _sentence(title: str, columns: Sequence[Sequence[Decimal]], totals: Sequence[str]) -> str:
    """Return what the chart shows, for those who do not see it."""
    largest = max(range(len(columns)), key=lambda index: abs(add_up(columns[index])))
    return f"{title}, {count_text(len(columns), 'bar')}; the largest: {totals[largest]}"


def _most_important(series: Mapping[str, Sequence[Decimal]]) -> Mapping[str, Sequence[Decimal]]:
    """Return at most so many series as have colours, in their order; all others as ``other``."""
    if len(series) <= MAX_SERIES:
        return series
    sizes = {name: add_up(map(abs, values)) for name, values in series.items()}
    largest = set(sorted(sizes, key=lambda name: -sizes[name])[: MAX_SERIES - 1])
    small = [values for name, values in series.items() if name not in largest]
    visible = {name: values for name, values in series.items() if name in largest}
    rest = name_rest(len(small), visible)
    return {**visible, rest: [add_up(column) for column in zip(*small, strict=True)]}


def name_rest(count: int, names: Collection[str]) -> str:
    """Return what ``count`` series are called together, beside others of these names."""
    name = f"other ({count:,})"
    while name in names:
        name = f"all {name}"
    return name


def _classes(visible: Mapping[str, object], has_rest: bool) -> list[str]:
    """Return the colour of each series.

    :param has_rest: the last one stands for all others
    """
    classes = [f"series-{index + 1}" for index in range(len(visible))]
    return [*classes[:-1], "series-other"] if has_rest else classes


def _edges(column: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """Return how far a bar extends down and up."""
    return (
        add_up(value for value in column if value < 0),
        add_up(value for value in column if value > 0),
    )


def _add_column(drawing: Element, index: int, count: int, text: str, link: str | None) -> Element:
    """Append the area of a bucket, in all its height, so that a low bar is easy to hit."""
    if link is None:
        parent = add(drawing, "g", class_="chart-column")
    else:
        parent = add(drawing, "a", class_="chart-column", href=link, aria_label=text)
    area = add(
        parent,
        "rect",
        class_="chart-area",
        x=percent(index / count),
        width=percent(1 / count),
        y=pixels(_TOP),
        height=pixels(_PLOT),
    )
    add(area, "title", text)
    return parent


def _add_bar(
    parent: Element,
    x: float,
    width: float,
    scale: Scale,
    parts: Sequence[tuple[str, Decimal, str]],
) -> None:
    down = up = ZERO
    for kind, value, text in parts:
        if not value:
            continue
        if value > 0:
            low, high = up, EXACT.add(up, value)
            up = high
        else:
            low, high = EXACT.add(down, value), down
            down = low
        top, bottom = (_TOP + _PLOT * (1 - scale.share(edge)) for edge in (high, low))
        part = add(
            parent,
            "rect",
            class_=kind,
            x=percent(x),
            width=percent(width),
            y=pixels(top),
            height=pixels(bottom - top),
        )
        add(part, "title", text)


def _amount(value: Decimal, unit: str, value_text: Callable[[Decimal], str]) -> str:
    text = value_text(value)
    return f"{text} {unit}" if unit and unit not in text else text


def _axis_names(buckets: Sequence[str]) -> Sequence[str]:
    """Return the buckets without what their chart need not repeat."""
    times = [_TIME.match(bucket) for bucket in buckets]
    is_one_day = len({time and time[1] for time in times}) == 1

    def name(bucket: str, time: re.Match[str] | None) -> str:
        if time is None:
            return bucket
        day, hour = time.groups()
        return day if hour is None else hour if is_one_day else f"{day} {hour}"

    return [name(bucket, time) for bucket, time in zip(buckets, times, strict=True)]
