"""Elements of HTML and SVG, whose texts and attributes are always escaped."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from ratekit.text import printable

Element = ElementTree.Element


def element(tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Return an element.

    :param text: may be foreign: control characters become visible
    :param attributes: ``class_`` is written ``class``, ``aria_label`` ``aria-label``; None: absent
    """
    created = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            created.set(name.rstrip("_").replace("_", "-"), printable(value))
    if text is not None:
        created.text = printable(text)
    return created


def add(parent: Element, tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Append a new element to ``parent`` and return it."""
    child = element(tag, text, **attributes)
    parent.append(child)
    return child


def percent(share: float) -> str:
    """Write a part of a width, of which 1 is the whole."""
    return f"{share * 100:.4f}".rstrip("0").rstrip(".") + "%"


def pixels(length: float) -> str:
    """Write a length that no width changes."""
    return f"{length:.2f}".rstrip("0").rstrip(".")


def figure(title: str, note: str = "") -> Element:
    """Return a figure with its caption.

    :param note: what its numbers are, such as ``in EUR``; empty: nothing
    """
    whole = element("figure", class_="chart")
    caption = add(whole, "figcaption", title)
    if note:
        add(caption, "span", f" {note}", class_="chart-unit")
    return whole


def legend(parent: Element, entries: Sequence[tuple[str, str]]) -> None:
    """Append the names of colours, in the order in which the chart has them.

    :param entries: class and name of each
    """
    names = add(parent, "ul", class_="chart-legend")
    for colour, name in entries:
        entry = add(names, "li")
        # A background would be missing on paper.
        swatch = add(entry, "svg", class_="swatch", width="12", height="12", aria_hidden="true")
        add(swatch, "rect", class_=colour, width="12", height="12")
        swatch.tail = f" {printable(name)}"


def empty(parent: Element, text: str) -> Markup:
    """Return the chart of nothing, with a sentence in its place."""
    add(parent, "p", text, class_="chart-empty")
    return write(parent)


def write(whole: Element) -> Markup:
    """Return an element as text for a template; all its texts and attributes are escaped."""
    # As in HTML, where an empty <p/> would not end; SVG reads both.
    text = ElementTree.tostring(whole, encoding="unicode", short_empty_elements=False)
    return Markup(text)
