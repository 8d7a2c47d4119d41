"""``ratekit report`` writes a file that opens without a network, and prints on paper."""

from __future__ import annotations

import pathlib
import unicodedata
from collections.abc import Iterator

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.pages.browser import INSPECTION, NARROW, WIDE
from tests.pages.conftest import full
from tests.pages.site import Site

pytestmark = full

#: CSS pixels of A4 between margins of 10 mm at least.
_PAPER_HEIGHT = 1046
#: Boxes of all charts and rows as they are on paper.
_BOXES = """selector => [...document.querySelectorAll(selector)].map(each =>
    [getComputedStyle(each).breakInside, each.getBoundingClientRect().height])"""


@pytest.fixture
def bill(site: Site, tmp_path: pathlib.Path) -> pathlib.Path:
    """Return the bill of a project."""
    path = tmp_path / "bill.html"
    site.command("report", "--scope", "demo-01", "--month", "2026-03", "-o", str(path))
    return path


@pytest.fixture
def page(browser: Browser, bill: pathlib.Path) -> Iterator[Page]:
    """Open it with the network off."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(bill.as_uri())
    yield page
    assert requests == [bill.as_uri()]
    assert messages == []
    context.close()


def test_it_opens_without_a_network(site: Site, page: Page) -> None:
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(INSPECTION) == []
    [row] = site.rows("summary", "--scope", "demo-01", "--groupby", "scope", "--month", "2026-03")
    numbers = page.locator("data").evaluate_all("all => all.map(each => each.value)")
    assert row["Price"] in numbers
    violations = Axe().run(page).response["violations"]
    assert [each["id"] for each in violations if each["impact"] in ("serious", "critical")] == []


def test_it_prints_without_cut_charts(page: Page, tmp_path: pathlib.Path) -> None:
    page.emulate_media(media="print")
    # As wide as A4 is between its margins.
    page.set_viewport_size({"width": 718, "height": _PAPER_HEIGHT})
    for selector in ("figure:has(> svg)", "tbody tr"):
        boxes = page.evaluate(_BOXES, selector)
        assert {breaks for breaks, _ in boxes} == {"avoid"}, selector
        assert [height for _, height in boxes if height > _PAPER_HEIGHT] == []
    lasts = page.locator("tbody tr:last-child")
    breaks = lasts.evaluate_all("all => all.map(each => getComputedStyle(each).breakBefore)")
    assert {*breaks} == {"avoid"}
    path = tmp_path / "bill.pdf"
    page.pdf(path=path, prefer_css_page_size=True)
    sheets = pypdf.PdfReader(path).pages
    # Without ligatures.
    texts = [unicodedata.normalize("NFKC", sheet.extract_text()) for sheet in sheets]
    assert 1 <= len(texts) <= 4
    assert {(round(float(sheet.mediabox.width)), round(float(sheet.mediabox.height)))
            for sheet in sheets} == {(595, 842)}  # fmt: skip
    for word in ("demo-01", "instance", "ip.floating", "16.99", "2026-03-05"):
        assert word in " ".join(texts), word
    count = len(texts)
    for number, text in enumerate(texts, start=1):
        assert text.startswith("Bill of demo-01, 2026-03-01 to 2026-03-31"), text
        assert f"Page {number} of {count}" in text
