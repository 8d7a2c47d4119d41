"""Axes: lines and texts of values, and names of buckets that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ratekit.html.charts.markup import Element, add, percent, pixels
from ratekit.html.charts.scale import Scale

#: Pixels of a character of an axis, with some air.
_CHARACTER = 7.0
#: Pixels between names.
_AIR = 10.0
#: Pixels that the narrowest screen, and a page of A4, leave for the names.
_NARROW, _WIDE = 240.0, 560.0
#: The stylesheet has margins for so many characters: class ``axis-6``.
_MARGINS = (3, 6, 9, 12)


def add_value_axis(
    parent: Element, text: str, scale: Scale, role: str, height: float, top: float, plot: float
) -> Element:
    """Append a drawing with a line and a text for each tick, and return it.

    The texts are in a margin left of the drawing, which the stylesheet keeps free.

    :param text: a sentence that says what the drawing shows
    :param role: ``img``, or ``group`` if it has links
    :param height: of all, in pixels; ``top`` and ``plot``: of the area of the bars
    """
    texts = scale.tick_texts()
    longest = max(map(len, texts))
    margin = next((size for size in _MARGINS if size >= longest), _MARGINS[-1])
    drawing = add_drawing(parent, text, role, height, f"chart-plot axis-{margin}")
    for tick, number in zip(scale.ticks, texts, strict=True):
        y = top + plot * (1 - scale.share(tick))
        kind = "chart-line" if tick else "chart-line chart-zero"
        add(drawing, "line", class_=kind, x1="0", x2="100%", y1=pixels(y), y2=pixels(y))
        label = _add_text(drawing, number, "chart-tick", "-8", y + 4)
        label.set("text-anchor", "end")
    return drawing


def add_drawing(parent: Element, text: str, role: str, height: float, kind: str) -> Element:
    """Append an empty drawing as wide as its parent.

    :param text: a sentence that says what it shows
    """
    drawing = add(
        parent, "svg", class_=kind, role=role, aria_label=text, width="100%", height=pixels(height)
    )
    if role == "img":
        add(drawing, "title", text)
    return drawing


def _add_text(drawing: Element, text: str, kind: str, x: str, y: float) -> Element:
    """Append a text of an axis, which is not read out: out of its place it says nothing."""
    return add(drawing, "text", text, class_=kind, x=x, y=pixels(y), aria_hidden="true")


def add_bucket_labels(
    drawing: Element, labels: Sequence[str], y: float, edges: Sequence[float] | None = None
) -> None:
    """Append names below the buckets, as many as there is room for.

    Some of class ``chart-wide`` are only for drawings that are not narrow.

    :param edges: where each bucket starts, as a part of the width, if they differ in width: a
        name starts there; None: it is below the middle
    """
    width = max(map(len, labels), default=0) * _CHARACTER + _AIR
    narrow = _every(len(labels), width, _NARROW)
    wide = _every(len(labels), width, _WIDE)
    # The narrow ones are some of the wide ones.
    narrow = math.ceil(narrow / wide) * wide
    for index in range(0, len(labels), wide):
        x = edges[index] if edges else (index + 0.5) / len(labels)
        is_narrow = index % narrow == 0
        if edges:
            # What starts near the right end would be cut.
            is_narrow = is_narrow and x <= 1 - width / _NARROW
            if x > 1 - width / _WIDE:
                continue
        kind = "chart-name" if is_narrow else "chart-name chart-wide"
        label = _add_text(drawing, labels[index], kind, percent(x), y)
        label.set("text-anchor", "start" if edges else "middle")


def _every(count: int, width: float, room: float) -> int:
    """Return of how many buckets one can have a name."""
    return max(math.ceil(count * width / room), 1)
