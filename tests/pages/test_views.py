"""Each view and each link, at all widths and in both colours, without scripts."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.pages.browser import NARROW, WIDE, Colors, Window
from tests.pages.conftest import OpenWindow, full
from tests.pages.crawl import crawl
from tests.pages.views import VIEWS, Reader

pytestmark = full

_Readers = Mapping[Reader, Window]


def open_windows(open_window: OpenWindow, **options: Any) -> _Readers:
    """Open a window of each reader."""
    readers: Sequence[Reader] = ("nobody", "member", "admin")
    return {reader: open_window(reader, **options) for reader in readers}


@pytest.mark.parametrize("reader", ["member", "admin"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_each_link_leads_to_a_page_without_defects(
    open_window: OpenWindow, width: int, reader: Reader
) -> None:
    results = dict(crawl(open_window(reader, width=width), "/dashboard"))
    assert {address: defects for address, defects in results.items() if defects} == {}
    pages = {address.partition("?")[0] for address in results}
    assert "/dashboard/explain" in pages
    assert ("/dashboard/rules/change" in pages) == (reader == "admin")


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_each_view_fits_its_window(
    open_window: OpenWindow, planned_rules: pathlib.Path, width: int, colors: Colors
) -> None:
    windows = open_windows(open_window, width=width, colors=colors)
    defects = {}
    for view in VIEWS:
        view.show(windows[view.reader], planned_rules)
        defects[view.name] = windows[view.reader].inspect()
    assert {name: found for name, found in defects.items() if found} == {}


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_window: OpenWindow, planned_rules: pathlib.Path, colors: Colors
) -> None:
    windows = open_windows(open_window, colors=colors, scripts=True, lenient=True)
    violations = {}
    for view in VIEWS:
        view.show(windows[view.reader], planned_rules)
        results = Axe().run(windows[view.reader].page).response["violations"]
        violations[view.name] = [
            (violation["id"], node["target"], node["failureSummary"])
            for violation in results
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    assert {name: nodes for name, nodes in violations.items() if nodes} == {}
