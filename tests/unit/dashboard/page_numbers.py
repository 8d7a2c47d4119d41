"""The numbers of a page, and what their links lead to."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import bs4

from tests.page_client import PageResponse

#: Numbers without a link, by page and place: nothing explains them but what stands beside them.
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("totals", "Part of all"): "it divides numbers that have links, in the same row and above",
    ("projects", "Total"): "of a search: it adds up the rows of all pages",
    ("coverage", "*"): "the table of all times counts the same periods",
    ("resource", "Total"): "of one set of labels: it adds up the rows below",
    ("resource", "Cost, total"): "likewise",
    ("explain", "*"): "the page itself is the explanation",
    ("quote", "*"): "the calculation is below, and nothing is stored",
    ("rules/line", "Cost"): "operators chose it; the history has who, and when",
    ("tasks/*", "Cost before"): "it adds up the periods below",
    ("tasks/*", "Cost since"): "it adds up the periods below",
    ("tasks/*", "Difference"): "it subtracts the numbers beside it",
    ("tasks/*", "Frames"): "the task has replaced them",
    ("tasks/*", "Cost"): "the task has replaced the frames",
    ("plan", "By these rules"): "it is computed for this page, and not stored",
    ("plan", "New"): "likewise",
    ("plan", "New, total"): "likewise",
    ("plan", "Difference, total"): "likewise",
    ("plan", "Difference"): "it subtracts the numbers beside it",
}


class Number(NamedTuple):
    """A number that a page shows.

    :ivar place: title of its figure, or of its table's column
    :ivar value: with all digits; None: it is no amount or quantity
    :ivar link: address; None: it has none
    """

    page: str
    place: str
    value: Decimal | None
    link: str | None


def read_numbers(address: str, response: PageResponse) -> Iterator[Number]:
    """Yield all numbers in the content of a page, without those of charts."""
    page = re.sub(r"^tasks/\d+$", "tasks/*", urllib.parse.urlsplit(address).path[11:])
    for tag in response.content.select("data, td.number"):
        is_text = tag.name == "td" and (tag.find("data") or not re.search(r"\d", tag.get_text()))
        if is_text or tag.find_parent("figure"):
            continue
        link = tag.find_parent("a") or tag.find("a")
        yield Number(
            page,
            _place(tag),
            Decimal(str(tag["value"])) if tag.name == "data" else None,
            str(link["href"]) if isinstance(link, bs4.Tag) else None,
        )


def _place(tag: bs4.Tag) -> str:
    figure = tag.find_parent(class_="figure")
    if figure is not None:
        return str(figure.select(".title")[0].get_text())
    cell = tag if tag.name == "td" else tag.find_parent("td")
    row, table = tag.find_parent("tr"), tag.find_parent("table")
    assert cell is not None, tag
    assert row is not None, tag
    assert table is not None, tag
    index = row.find_all(["th", "td"]).index(cell)
    title = str(table.select("thead th")[index].get_text())
    return f"{title}, total" if row.get("class") == ["total"] else title


def exception_of(number: Number) -> tuple[str, str] | None:
    """Return the exception that lets a number be without a link; None: nothing does."""
    keys = [(number.page, number.place), (number.page, "*")]
    return next((key for key in keys if key in EXCEPTIONS), None)


def require_links(address: str, response: PageResponse) -> set[tuple[str, str]]:
    """Require that each number of a page has a link; return the exceptions that it needs."""
    exceptions = set()
    for number in read_numbers(address, response):
        if number.link is None:
            key = exception_of(number)
            assert key is not None, (address, number)
            exceptions.add(key)
    return exceptions
