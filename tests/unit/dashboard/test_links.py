"""Every link of every page leads to a page, for whoever sees the link; every number has a link."""

from __future__ import annotations

import collections
import urllib.parse
from collections.abc import Iterator

import bs4
import pytest

from tests.page_client import PageClient, PageResponse
from tests.unit.dashboard.page_numbers import EXCEPTIONS, require_links

#: Attributes that only these elements have, and what else may stand in a page.
_LINKS = {"a": "href", "link": "href", "form": "action"}
#: Addresses that lead on, or take forms alone.
STATUSES = {"/dashboard": 303, "/dashboard/zone": 405}
#: Pages of one kind, and in total.
_SAME, _ALL = 2, 120


def links(response: PageResponse) -> Iterator[str]:
    """Yield the addresses that a page names, without those of its file."""
    for tag in response.document.find_all(list(_LINKS)):
        address = tag.get(_LINKS[tag.name])
        if address is not None and not str(address).startswith("#"):
            yield str(address)


def kind(address: str) -> tuple[str, tuple[str, ...]]:
    """Return the path and the names of the arguments: other values make no other page."""
    parts = urllib.parse.urlsplit(address)
    return parts.path, tuple(sorted(urllib.parse.parse_qs(parts.query)))


def crawl(pages: PageClient, project: str | None) -> Iterator[tuple[str, PageResponse]]:
    """Yield each kind of page that the links lead to, from the first page on."""
    waiting = collections.deque([pages.get("/dashboard", project).headers["location"]])
    counts: collections.Counter[tuple[str, tuple[str, ...]]] = collections.Counter()
    while waiting and counts.total() < _ALL:
        address = waiting.popleft()
        if counts[kind(address)] == _SAME:
            continue
        counts[kind(address)] += 1
        response = pages.get(address, project)
        yield address, response
        if "html" in response.headers["content-type"]:
            waiting.extend(address for address in links(response) if "/static/" not in address)


@pytest.mark.parametrize("project", [None, "a"])
def test_every_link_leads_to_a_page_without_foreign_markup(
    cloud: PageClient, project: str | None
) -> None:
    paths = set()
    exceptions: set[tuple[str, str]] = set()
    for address, response in crawl(cloud, project):
        assert address.startswith("/dashboard"), address
        assert response.status == STATUSES.get(address, 200), address
        assert "Content-Security-Policy".lower() in response.headers
        if "html" in response.headers["content-type"]:
            require_clean(response, address)
            exceptions |= require_links(address, response)
        paths.add(kind(address)[0])
    assert len(paths) > (15 if project is None else 8), paths
    if project is None:
        # The pages that the crawl does not reach need a form.
        missing = {
            key for key in EXCEPTIONS if key[0] not in {"plan", "quote", "explain", "projects"}
        }
        assert missing <= exceptions


def require_clean(response: PageResponse, address: str) -> None:
    """Require that a page is well-formed, and has nothing that the policy would block."""
    document = response.document
    assert document.find_all(["script", "style", "iframe", "object", "embed", "base"]) == []
    assert len(document.find_all("h1")) == 1, address
    ids = [tag["id"] for tag in document.find_all(id=True)]
    assert len(ids) == len(set(ids)), address
    for tag in document.find_all(True):
        assert not [name for name in tag.attrs if name == "style" or name.startswith("on")], address
    for field in document.find_all(["input", "select", "textarea"]):
        assert field.get("type") == "hidden" or is_labelled(field), (address, field)
    for form in document.find_all("form", method="post"):
        assert form.find("input", {"name": "csrf"}) is not None, address


def is_labelled(field: bs4.Tag) -> bool:
    return field.find_parent("label") is not None or field.has_attr("aria-label")
