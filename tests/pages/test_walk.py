"""The walk that each change takes: two readers see the pages, without scripts."""

from __future__ import annotations

import pathlib

from tests.pages.browser import Window
from tests.pages.conftest import OpenWindow
from tests.pages.site import Site

#: The menu's entries, by the title of their part.
_COSTS = ("Overview", "Costs", "Resources", "Prices", "Ask for a price", "About")
_OPERATION = (
    "Status", "Projects", "Costs of all", "Gaps", "Price rules", "History of rules",
    "Plan prices", "Tasks",
)  # fmt: skip


def test_a_member_follows_the_month_to_one_explained_price(
    site: Site, open_window: OpenWindow
) -> None:
    window = open_window("member")
    page = window.page
    menu = page.get_by_role("navigation", name="Pages")
    assert menu.get_by_role("link").all_inner_texts() == [*_COSTS]
    for title in _COSTS:
        window.follow(menu.get_by_role("link", name=title, exact=True))
        assert page.get_by_role("link", name=title, exact=True).get_attribute("aria-current")
        assert window.inspect() == [], title
    window.follow(menu.get_by_role("link", name="Overview", exact=True))
    total = page.locator(".figure", has_text="This month so far").locator("data")
    [row] = site.rows("summary", "--scope", "demo-01", "--groupby", "scope", "--month", "2026-03")
    assert total.get_attribute("value") == row["Price"]
    window.follow(total)
    price = None
    for title in ("Costs", "Costs", "Resources", "Resource"):
        assert window.inspect() == [], page.url
        assert page.title().startswith(f"{title} "), page.url
        amount = page.locator("main tbody td.number a").first
        price = amount.locator("data").get_attribute("value")
        window.follow(amount)
    assert page.title().startswith("One price ")
    assert page.locator("main data.money").first.get_attribute("value") == price
    assert window.inspect() == []
    _log_out(window)


def test_an_administrator_sees_what_is_late_and_plans_prices(
    open_window: OpenWindow, planned_rules: pathlib.Path
) -> None:
    window = open_window("admin")
    page = window.page
    menu = page.get_by_role("navigation", name="Pages")
    assert menu.get_by_role("link").all_inner_texts() == [*_COSTS, *_OPERATION]
    for title in _OPERATION:
        window.follow(menu.get_by_role("link", name=title, exact=True))
        assert window.inspect() == [], title
    window.follow(menu.get_by_role("link", name="Status", exact=True))
    assert "snapshot.size: usage that is to be rated has expired" in page.inner_text("main")
    window.follow(menu.get_by_role("link", name="Plan prices", exact=True))
    page.set_input_files("input[type=file]", planned_rules)
    window.follow(page.get_by_role("button", name="Calculate"))
    figures = page.locator(".figure data").evaluate_all("all => all.map(each => each.value)")
    assert [float(figure) > 0 for figure in figures] == [True, True, True]
    assert window.inspect() == []
    _log_out(window)


def _log_out(window: Window) -> None:
    window.follow(window.page.get_by_role("button", name="Log out"))
    assert "You are logged out" in window.page.inner_text("main")
    assert window.inspect() == []
    window.open("/dashboard/overview")
    assert "/dashboard/login?" in window.page.url
