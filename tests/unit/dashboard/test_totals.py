"""The costs of all projects over time are those of ``summary``."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bs4 import Tag

from ratekit.domain.period import Window
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.scope import Scope
from tests.contract.given import HOUR, batch, build_series, hour
from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import METRICS, NAMES, SCRIPT

PATH = "/dashboard/totals"


def test_the_total_and_metrics_are_those_of_summary(cloud: PageClient, ratekit: Shell) -> None:
    rows = ratekit("summary", "--groupby", "metric", "-f", "json", "--month", "2026-03").json()
    expected = {row["Metric"]: Decimal(str(row["Price"])) for row in rows}
    content = cloud.get(PATH).content
    assert Decimal(str(content.select(".figure data")[0]["value"])) == add_up(expected.values())
    table = content.find_all("table")[0]
    shown = {
        row.select("th")[0].get_text(): Decimal(str(row.select("data")[0]["value"]))
        for row in table.select("tbody tr")
    }
    assert shown == {**expected, "Total": add_up(expected.values())}


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_the_csv_has_the_sums_of_each_part(cloud: PageClient, ratekit: Shell, by: str) -> None:
    rows = ratekit(
        "summary", "--groupby", f"{by},metric", "-f", "json", "--begin", "2026-03-02", "--end",
        "2026-03-12",
    ).json()  # fmt: skip
    lines = cloud.get(PATH, by=by, begin="2026-03-02", end="2026-03-12", format="csv").csv
    assert [Decimal(line[2]) for line in lines[1:]] == [Decimal(str(row["Price"])) for row in rows]


def test_the_dearest_projects_come_first(cloud: PageClient, ratekit: Shell) -> None:
    rows = ratekit("summary", "--groupby", "scope", "-f", "json", "--month", "2026-03").json()
    expected = sorted((Decimal(str(row["Price"])) for row in rows), reverse=True)
    table = cloud.get(PATH).content.find_all("table")[1]
    assert [Decimal(str(tag["value"])) for tag in table.find_all("data")] == expected
    names = [str(cell.get_text()) for cell in table.select('tbody th[scope="row"]')]
    assert names[0] == "epsilon"
    assert sorted(names) == sorted(NAMES.values())


def test_projects_of_any_names_are_told_apart(pages: PageClient) -> None:
    # Names of which some are what others would be called.
    names = {"1": "x", "2": "x", "3": "x (1)", "4": "", "5": "4", "6": "other (1)", "7": "g"}
    names |= {"8": "h"}
    storage = pages.parts.storage
    scopes = [Scope(id_, name) for id_, name in names.items()]
    states = storage.ledger.observe(scopes, hour(0), hour(0), hour(0)).states
    series = [build_series(id_, [("1", str(2 ** int(id_)))], begin=hour(0)) for id_ in names]
    storage.ledger.commit(batch(list(states), *series, periods=Window(hour(0), HOUR, 1)))
    content = pages.get(PATH).content
    cells = content.find_all("table")[1].select('tbody th[scope="row"]')
    titles = [str(cell.get_text()).strip() for cell in cells]
    assert len({*titles}) == len(names)
    bars = [str(title.get_text()) for title in content.select("figure.chart")[1].select("title")]
    assert "2026-03-01: 510.00" in bars
    assert f"2026-03-01, {titles[0]}: 256.00" in bars


def test_a_small_part_of_all_is_not_nothing(pages: PageClient) -> None:
    storage = pages.parts.storage
    names = {"1": "small", "2": "large", "3": "free"}
    scopes = [Scope(id_, name) for id_, name in names.items()]
    states = storage.ledger.observe(scopes, hour(0), hour(0), hour(0)).states
    prices = {"1": "0.01", "2": "1000", "3": "0"}
    series = [build_series(id_, [("1", price)], begin=hour(0)) for id_, price in prices.items()]
    storage.ledger.commit(batch(list(states), *series, periods=Window(hour(0), HOUR, 1)))
    rows = pages.get(PATH).content.find_all("table")[1].select("tbody tr")
    parts = [str(row.select("td")[-1].get_text()) for row in rows]
    assert parts == ["100.0%", "<0.1%", "0.0%"]


def test_charts_have_titles_and_escaped_names(cloud: PageClient) -> None:
    charts = cloud.get(PATH).content.select("figure.chart")
    assert len(charts) == 2
    assert SCRIPT in charts[1].get_text()
    assert not charts[1].find_all("script")


def test_a_time_without_usage_is_no_error(cloud: PageClient) -> None:
    response = cloud.get(PATH, begin="2025-01-01", end="2025-02-01")
    assert "Nothing was charged in this time" in response.words


def test_too_many_parts_are_refused(cloud: PageClient) -> None:
    response = cloud.get(PATH, by="day", begin="2025-10-01", end="2026-04-01")
    assert response.status == 400
    assert "choose a shorter one" in response.words


def test_a_day_leads_to_the_projects_that_it_consists_of(cloud: PageClient) -> None:
    bars = cloud.get(PATH, begin="2026-03-02", end="2026-03-05").content.select("svg a")
    assert len(bars) == 6
    response = cloud.get(str(bars[0]["href"]))
    amounts = [Decimal(str(row.select("data")[0]["value"])) for row in _rows(response.content)]
    lines = cloud.get(PATH, begin="2026-03-02", end="2026-03-03", format="csv").csv
    assert add_up(amounts) == add_up(Decimal(line[2]) for line in lines[1:])


def test_a_month_leads_to_its_days(cloud: PageClient) -> None:
    bars = cloud.get(PATH, by="month", begin="2026-02-20", end="2026-03-05").content.select("svg a")
    february, march = (str(bar["href"]) for bar in bars[:2])
    assert february.endswith("by=day&begin=2026-02-20T00%3A00%3A00Z&end=2026-03-01T00%3A00%3A00Z")
    assert march.endswith("by=day&begin=2026-03-01T00%3A00%3A00Z&end=2026-03-05T00%3A00%3A00Z")
    assert len(cloud.get(march).content.select("svg a")) == 8


def test_the_total_leads_to_the_projects(cloud: PageClient) -> None:
    link = cloud.get(PATH).content.select_one(".figure a")
    assert link is not None
    assert len(_rows(cloud.get(str(link["href"])).content)) == len(NAMES)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_leads_to_its_costs_over_time_and_by_project(
    cloud: PageClient, metric: str
) -> None:
    content = cloud.get(PATH, begin="2026-03-02", end="2026-03-09").content
    (row,) = (row for row in _rows(content) if metric in row.get_text())
    (price,) = _amounts(row)
    page = cloud.get(_link(row)).content
    projects = page.find_all("table")[0]
    assert _amounts(page.select_one(".figure")) == [price]
    assert add_up(_amounts(projects)) == price
    # All projects of that metric, and their days.
    assert f"metric={metric}&" in _link(page.select_one(".figure"))
    assert f"metric={metric}&" in _link(projects)
    bars = page.select("figure.chart")[0].select("svg a")
    shown = [cloud.get(str(bar["href"])).content.select('td[data-title="Cost"]') for bar in bars]
    assert add_up(price for cells in shown for cell in cells for price in _amounts(cell)) == price


def test_equal_costs_are_in_the_order_of_names(pages: PageClient) -> None:
    # More than are shown; ids are in the opposite order.
    names = {f"{99 - number}": f"project {number:02}" for number in range(30)}
    storage = pages.parts.storage
    scopes = [Scope(id_, name) for id_, name in names.items()]
    states = storage.ledger.observe(scopes, hour(0), hour(0), hour(0)).states
    series = [build_series(id_, [("1", "0.1")], begin=hour(0)) for id_ in names]
    storage.ledger.commit(batch(list(states), *series, periods=Window(hour(0), HOUR, 1)))
    table = pages.get(PATH).content.find_all("table")[1]
    shown = [str(cell.get_text()) for cell in table.select('tbody th[scope="row"]')]
    assert shown == sorted(names.values())[:20]


def _amounts(tag: Tag | None) -> list[Decimal]:
    assert tag is not None
    return [Decimal(str(data["value"])) for data in tag.select("data")]


def _link(tag: Tag | None) -> str:
    """Return the first address in a part of a page."""
    assert tag is not None
    return str(tag.select("a[href]")[0]["href"])


def _rows(content: Tag) -> list[Tag]:
    return list(content.select("tbody tr"))
