"""Times at which calendars end are mistakes of whoever asks, in any zone and on each page."""

from __future__ import annotations

import itertools
import pathlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ratekit.dashboard.page import Page
from ratekit.dashboard.routes import PAGES
from tests.page_client import PageClient

FIRST = ("0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00")
LAST = ("9999-12-31", "9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00")
NEEDED = {
    "/dashboard/explain": {"metric": "instance", "begin": "2026-03-01T01:00:00Z", "scope": "a"},
    "/dashboard/resource": {"scope": "a", "id": "x"},
    "/dashboard/quote": {"metric": "instance", "quantity": "3"},
    "/dashboard/coverage": {"scope": "a"},
}
NAMES = ("begin", "end", "since", "at")
DATED = [page for page in PAGES if {*NAMES} & page.arguments.model_fields.keys()]


def requests(page: Page) -> Iterator[Mapping[str, str]]:
    """Yield arguments that are complete but for times, and have such times."""
    names = [name for name in NAMES if name in page.arguments.model_fields]
    needed = NEEDED.get(page.path, {})
    for name, time in itertools.product(names, FIRST + LAST):
        yield {**needed, name: time}
    if {"begin", "end"} <= {*names}:
        for begin, end in itertools.product(FIRST + LAST, repeat=2):
            yield {**needed, "begin": begin, "end": end}


def pairs(page: Page) -> Iterator[tuple[Page, Mapping[str, str]]]:
    return ((page, request) for request in requests(page))


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_no_calendar_ends_in_an_error_of_the_server(
    zone: str, tmp_path: pathlib.Path, url: str
) -> None:
    pages = PageClient(tmp_path, url, f"dashboard_zone = {zone}")
    for page, request in itertools.chain(*map(pairs, DATED)):
        response = pages.get(page.path, None, None, "GET", **request)
        assert response.status in (400, 404), (page.path, request, response.words)


@pytest.mark.parametrize("path", ["projects", "resources", "costs", "gaps"])
def test_links_of_a_range_are_made_without_a_warning(path: str, cloud: PageClient) -> None:
    query: dict[str, Any] = {
        "begin": "2026-03-01T00:00:00Z", "end": "2026-03-02", "offset": 1, "by": "id",
    }  # fmt: skip
    query = query if path == "costs" else {name: query[name] for name in query if name != "by"}
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        response = cloud.get(f"/dashboard/{path}", **query)
    assert response.status == 200
    assert not [record.message for record in records]
    assert "begin=2026-03-01T00%3A00%3A00Z" in response.text
