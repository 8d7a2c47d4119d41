"""A table of values with a bar each, for names that may be long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from decimal import Decimal

from markupsafe import Markup

from ratekit.domain.exact import ZERO
from ratekit.html.charts.markup import Element, add, empty, figure, percent, write
from ratekit.html.charts.scale import Scale, grouped

_HEIGHT = "14"


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A value with its name.

    :ivar link: address of what explains the value; None: there is none
    """

    label: str
    value: Decimal
    link: str | None = None


def bars(
    title: str,
    rows: Sequence[Bar],
    unit: str,
    value_text: Callable[[Decimal], str] = grouped,
) -> Markup:
    """Draw a bar for each row, in their order, negative values left of zero.

    :param unit: of the values, such as EUR; empty: none
    :param value_text: how a value is written
    :returns: a figure with caption
    """
    if not rows:
        return empty(figure(title), "Nothing to show: no costs in this time.")
    scale = _scale_of([row.value for row in rows])
    whole = figure(title, f"in {unit}" if unit else "")
    table = add(whole, "table", class_="chart-bars", aria_label=title)
    head = add(add(table, "thead"), "tr")
    for name in ("Name", f"Value ({unit})" if unit else "Value"):
        add(head, "th", name, scope="col")
    body = add(table, "tbody")
    for row in rows:
        _add_row(body, row, scale, value_text)
    return write(whole)


def _scale_of(values: Sequence[Decimal]) -> Scale:
    """Return a scale that ends where the largest bar does: there is no axis that needs more."""
    low, high = min([ZERO, *values]), max([ZERO, *values])
    return Scale([low, high if low < high else Decimal(1)], Decimal(1))


def _add_row(body: Element, row: Bar, scale: Scale, value_text: Callable[[Decimal], str]) -> None:
    line = add(body, "tr")
    name = add(line, "th", scope="row")
    if row.link is None:
        add(name, "span", row.label, class_="chart-label")
    else:
        add(name, "a", row.label, href=row.link, class_="chart-label")
    zero, end = scale.share(Decimal(0)), scale.share(row.value)
    drawing = add(name, "svg", aria_hidden="true", width="100%", height=_HEIGHT)
    add(
        drawing,
        "rect",
        class_="series-1",
        x=percent(min(zero, end)),
        width=percent(abs(end - zero)),
        height=_HEIGHT,
    )
    add(line, "td", value_text(row.value), class_="number", title=grouped(row.value))
