"""The numbers of each view are those of ``ratekit summary``, to the last digit."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.pages.browser import Table, Window
from tests.pages.conftest import OpenWindow, full
from tests.pages.site import Site

pytestmark = full

_MARCH = ("--begin", "2026-03-01", "--end", "2026-04-01")
_OWN = ("--scope", "demo-01")


def summary(site: Site, key: str, *options: str) -> Mapping[str, str]:
    """Return the command's prices by a key, which is not zero."""
    rows = site.rows("summary", "--groupby", key, *(options or _MARCH))
    [title] = [name for name in rows[0] if name.lower().replace(" ", "_") == key]
    return {row[title]: row["Price"] for row in rows}


def column(table: Table, title: str, price: str = "Cost (EUR)") -> Mapping[str, str]:
    """Return a table's prices by the text of a column, without its sum."""
    return {row[title]: row[price] for row in table if row[title] != "Total"}


def total(prices: Mapping[Any, str]) -> str:
    """Return the sum with all digits."""
    return f"{sum(Decimal(price) for price in prices.values()):f}"


def show(window: Window, address: str) -> Sequence[Table]:
    """Open a page; return its tables."""
    assert window.open(address) == 200
    return window.tables()


def test_the_overview(site: Site, open_window: OpenWindow) -> None:
    window = open_window("member")
    metrics, resources = show(window, "/dashboard/overview")
    expected = summary(site, "metric", *_OWN, *_MARCH)
    assert column(metrics, "Metric") == expected
    assert metrics[-1]["Cost (EUR)"] == window.figure("This month so far") == total(expected)
    assert column(resources, "Resource") == summary(site, "id", *_OWN, *_MARCH)
    february = summary(site, "metric", *_OWN, "--month", "2026-02")
    assert total(february) in _figures(window)


@pytest.mark.parametrize("key", ["Metric", "flavor_name", "id"])
def test_costs_by_what_was_used(site: Site, open_window: OpenWindow, key: str) -> None:
    [table] = show(open_window("member"), f"/dashboard/costs?by={key.lower()}")
    expected = dict(summary(site, key.lower(), *_OWN, *_MARCH))
    shown = dict(column(table, key))
    # What has no such label is a line without a name.
    assert sorted(shown.values()) == sorted(expected.values())
    assert {name for name in expected if name} <= set(shown)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_costs_by_day_in_the_readers_zone(site: Site, open_window: OpenWindow, zone: str) -> None:
    window = open_window("member")
    window.open("/dashboard/settings")
    window.page.select_option("select[name=zone]", zone)
    window.follow(window.page.get_by_role("button", name="Change time zone"))
    [table] = show(window, "/dashboard/costs?begin=2026-02-01&end=2026-04-01")
    assert zone in window.page.locator("caption").inner_text()
    options = (*_OWN, "--timezone", zone, "--begin", "2026-02-01", "--end", "2026-04-01")
    expected = summary(site, "day", *options)
    days = {day: price for day, price in column(table, "Day").items() if price not in ("", "0")}
    assert days == {day[:10]: price for day, price in expected.items()}
    assert table[-1]["Cost (EUR)"] == total(expected)


def test_resources_their_days_and_hours(site: Site, open_window: OpenWindow) -> None:
    window = open_window("member")
    [table] = show(window, "/dashboard/resources")
    expected = summary(site, "id", *_OWN, *_MARCH)
    assert column(table, "Resource") == expected
    assert window.figure("Total") == total(expected)
    dearest = table[0]
    for key, title, count in (("day", "Day", 5), ("hour", "Begin", 24)):
        window.follow(window.page.locator("main tbody a").first)
        times, *_ = window.tables()
        rows = site.rows("summary", "--groupby", f"id,{key}", *_OWN, *_MARCH)
        prices = [row["Price"] for row in rows if row["id"] == dearest["Resource"]][:count]
        assert list(column(times, title).values()) == prices
        assert window.figure("Total") == total(dict(enumerate(prices)))


def test_projects_and_all_costs(site: Site, open_window: OpenWindow) -> None:
    window = open_window("admin")
    names = {id_: name for name, id_ in site.project_ids.items()}
    [projects] = show(window, "/dashboard/projects")
    for month, title in (("2026-02", "Before"), ("2026-03", "Cost")):
        prices = summary(site, "scope", "--month", month)
        shown = {row["Project"].split("\n")[-1]: row[title] for row in projects}
        assert {scope: shown[scope] for scope in prices} == prices
        assert {shown[scope] for scope in shown.keys() - prices.keys()} <= {"0"}
    metrics, dearest = show(window, "/dashboard/totals")
    assert column(metrics, "Metric", "Cost") == summary(site, "metric")
    assert column(dearest, "Project", "Cost") == {
        names[scope]: price for scope, price in prices.items()
    }
    assert window.figure("Total from") == total(prices)


def test_a_plan_starts_from_what_was_charged(
    site: Site, open_window: OpenWindow, planned_rules: pathlib.Path
) -> None:
    window = open_window("admin")
    window.open("/dashboard/plan")
    window.page.set_input_files("input[type=file]", planned_rules)
    window.follow(window.page.get_by_role("button", name="Calculate"))
    metrics, projects, _ = window.tables()
    assert column(metrics, "Metric", "Charged (EUR)") == summary(site, "metric")
    names = {id_: name for name, id_ in site.project_ids.items()}
    assert column(projects, "Project", "Charged (EUR)") == {
        names[scope]: price for scope, price in summary(site, "scope").items()
    }


def test_a_task_ends_with_what_is_charged_now(site: Site, open_window: OpenWindow) -> None:
    window = open_window("admin")
    window.open("/dashboard/tasks/1")
    days = ("--begin", "2026-03-02", "--end", "2026-03-04")
    assert window.figure("Cost since") == total(summary(site, "metric", *_OWN, *days))
    assert Decimal(window.figure("Cost before")) < Decimal(window.figure("Cost since"))


def _figures(window: Window) -> Sequence[str]:
    values: Sequence[str] = window.page.locator(".figure data").evaluate_all(
        "all => all.map(each => each.value)"
    )
    return values
