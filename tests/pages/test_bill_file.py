"""Bills that are files, as Chromium shows and prints them: from a disk, without a network."""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page

from ratekit.admin.bill import read_statement
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.schedule.calendar import Calendar
from ratekit.export.bill_html import Issue, render_bill
from ratekit.html.charts import stacked_bars
from ratekit.html.charts.scale import grouped
from ratekit.html.environment import read_static
from ratekit.html.formats import Formats
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract.given import HOUR, START, batch, build_series, hour, list_scopes, window

DAYS = 31
SCREENS = (360, 768, 1440)
#: Pixels of A4 without its margins.
PAPER = (680, 979)
#: Texts of charts that overlap, or that are outside of the window.
DEFECTS = """() => {
    const defects = [];
    for (const chart of document.querySelectorAll('figure.chart')) {
        const texts = [...chart.querySelectorAll('svg text')].map(node => [
            node.firstChild.nodeValue, node.getBoundingClientRect()
        ]).filter(([text, box]) => box.width);
        texts.forEach(([text, box], index) => {
            if (box.left < 0 || box.right > document.documentElement.clientWidth)
                defects.push(`${text} is outside`);
            for (const [other, area] of texts.slice(index + 1))
                if (box.left < area.right && area.left < box.right &&
                        box.top < area.bottom - 2 && area.top < box.bottom - 2)
                    defects.push(`${text} and ${other} overlap`);
        });
    }
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) defects.push(`${root.scrollWidth} px wide`);
    return defects;
}"""


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A month of three projects, nine metrics and many resources."""
    folder = tmp_path_factory.mktemp("bill")
    url = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(url)
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    projects = ("a" * 32, "b" * 32, "<b>c</b>")
    series = [
        build_series(
            project,
            [(f"{day % 7}.5", f"{(day % 5 + 1) * 10**metric}e-5") for day in range(DAYS * 24)],
            metric=f"metric.number.{metric}",
            unit="GiB",
            labels={"id": f"{project}-{metric}"},
        )
        for project in projects
        for metric in range(9)
    ]
    periods = window(DAYS * 24)
    storage.ledger.commit(batch(list_scopes(storage, *projects), *series, periods=periods))
    selection = Selection(START, hour(DAYS * 24), scopes=ALL_SCOPES)
    statement = read_statement(storage, Calendar(HOUR, 0), selection, datetime.UTC)
    issue = Issue(
        at=hour(DAYS * 24 + 1),
        version="1.0",
        everything=True,
        metrics=(),
        step=HOUR,
        has_rules=False,
    )
    path = folder / "bill.html"
    path.write_text(render_bill(statement, Formats(currency="EUR"), issue), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without a network and without scripts, in which nothing may go wrong."""
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("requestfailed", lambda request: problems.append(request.url))
    yield page
    context.close()
    assert problems == []


def show(page: Page, path: pathlib.Path, width: int) -> Sequence[str]:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path.as_uri())
    defects: Sequence[str] = page.evaluate(DEFECTS)
    return defects


@pytest.mark.parametrize("width", SCREENS)
def test_it_is_legible_from_a_disk(bill: pathlib.Path, page: Page, width: int) -> None:
    assert show(page, bill, width) == []
    assert page.locator("figure.chart svg[role=img]").count() == 4
    assert page.locator("h1").inner_text() == "Bill of all projects"


def test_it_prints_on_a4_without_cut_charts(bill: pathlib.Path, page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert show(page, bill, PAPER[0]) == []
    for chart in page.locator("figure.chart:has(svg[role=img])").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["height"] < PAPER[1] / 2
        assert chart.evaluate("node => getComputedStyle(node).breakInside") == "avoid"
    style = page.locator("body").evaluate(
        "node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]"
    )
    assert style == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    sheets = page.pdf(prefer_css_page_size=True)
    # Two pages for all projects, and at least one for each of three.
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) >= 5
    boxes = set(re.findall(rb"/MediaBox\s*\[([^]]*)\]", sheets))
    assert [[round(float(edge)) for edge in box.split()] for box in boxes] == [[0, 0, 595, 842]]


@pytest.mark.parametrize("size", ["1e-9", "1", "-1e6", "1e12"])
@pytest.mark.parametrize("width", [SCREENS[0], SCREENS[-1]])
def test_axes_of_any_amount_are_legible(
    size: str, width: int, page: Page, tmp_path: pathlib.Path
) -> None:
    days = [f"2026-01-{day:02}" for day in range(1, DAYS + 1)]
    values = [Decimal(size) * (day % 9 + 1) for day in range(DAYS)]
    chart = stacked_bars("Costs", days, {"instance": values}, "EUR", value_text=grouped)
    styles = read_static("charts.css").decode()
    path = tmp_path / "chart.html"
    path.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<style>body {{ font: 1rem sans-serif; margin: 1rem }} {styles}</style>{chart}",
        encoding="utf-8",
    )
    assert show(page, path, width) == []
