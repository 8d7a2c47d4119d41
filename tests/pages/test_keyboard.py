"""The pages by the keyboard alone."""

from __future__ import annotations

import pytest

from tests.pages.browser import NARROW, Window
from tests.pages.conftest import OpenWindow, full
from tests.pages.site import Site

pytestmark = full

#: What has the focus: its tag, its name, whether one sees where it is.
_FOCUS = """() => {
    const focus = document.activeElement, style = getComputedStyle(focus);
    const box = focus.getBoundingClientRect();
    return [focus.tagName, focus.name || focus.innerText || '', focus.className,
        style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
        && box.width > 0 && box.bottom > 0 && box.right > 0];
}"""
#: Whether nothing covers what has the focus.
_IS_FREE = """() => {
    const focus = document.activeElement, [box] = focus.getClientRects();
    const middle = (from, to, end) => (Math.max(from, 0) + Math.min(to, end)) / 2;
    const top = document.elementFromPoint(
        middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
    return top !== null && (focus.contains(top) || top.contains(focus));
}"""
#: More than any page has.
_MOST_STOPS = 200


def press_tab(window: Window) -> tuple[str, str, str, bool]:
    """Go to the next stop; return tag, name and class, and whether it is visible."""
    window.page.keyboard.press("Tab")
    tag, name, style, visible = window.page.evaluate(_FOCUS)
    return tag, name, style, visible


def go_to(window: Window, tag: str, name: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(_MOST_STOPS):
        stop = press_tab(window)
        if stop[:2] == (tag, name):
            return
    raise AssertionError(f"the keyboard does not reach {tag} {name}")


def test_the_first_stop_leads_over_the_menu(open_window: OpenWindow) -> None:
    window = open_window("member")
    window.open("/dashboard/costs")
    assert press_tab(window) == ("A", "Skip to content", "skip", True)
    window.page.keyboard.press("Enter")
    assert press_tab(window)[:2] == ("INPUT", "begin")


@pytest.mark.parametrize("path", ["overview", "costs", "prices", "settings", "quote"])
def test_each_stop_can_be_seen(open_window: OpenWindow, path: str) -> None:
    window = open_window("member")
    window.open(f"/dashboard/{path}")
    stops: list[tuple[str, str, str, bool]] = []
    while (stop := press_tab(window))[0] != "BODY" and len(stops) < _MOST_STOPS:
        # A date has a stop for each of its parts; Chromium marks the last, its calendar, inside.
        if not stops or stop[:2] != stops[-1][:2]:
            stops.append(stop)
    assert len(stops) > 8
    assert [stop for stop in stops if not stop[3]] == []


@pytest.mark.parametrize("path", ["costs", "tasks/1"])
def test_a_column_that_stays_covers_no_stop(open_window: OpenWindow, path: str) -> None:
    window = open_window("admin" if path == "tasks/1" else "member", width=NARROW)
    window.open(f"/dashboard/{path}")
    cells = window.page.locator("main td a")
    cells.last.focus()
    texts = []
    for _ in range(cells.count()):
        texts.append(window.page.evaluate("() => document.activeElement.innerText"))
        assert window.page.evaluate(_IS_FREE), texts
        # Backwards: the table moves from right to left.
        window.page.keyboard.press("Shift+Tab")
    assert len(texts) > 20


def test_forms_are_filled_and_sent(site: Site, open_window: OpenWindow) -> None:
    window = open_window("nobody")
    keyboard = window.page.keyboard
    window.open("/dashboard/login")
    for name, text in (("user", site.member.name), ("password", site.member.password)):
        go_to(window, "INPUT", name)
        keyboard.type(text)
    with window.page.expect_navigation():
        keyboard.press("Enter")
    assert window.page.title().startswith("Overview ")
    window.open("/dashboard/costs")
    go_to(window, "SELECT", "by")
    keyboard.type("metric")
    go_to(window, "BUTTON", "Show")
    with window.page.expect_navigation():
        keyboard.press("Space")
    assert "by=metric" in window.page.url
    go_to(window, "BUTTON", "Log out")
    with window.page.expect_navigation():
        keyboard.press("Enter")
    assert "/dashboard/login?out=1" in window.page.url


def test_the_menu_opens_on_a_telephone(open_window: OpenWindow) -> None:
    window = open_window("admin", width=NARROW)
    keyboard, menu = window.page.keyboard, window.page.get_by_role("navigation", name="Pages")
    window.open("/dashboard/overview")
    assert not menu.is_visible()
    go_to(window, "BUTTON", "Menu")
    keyboard.press("Enter")
    assert menu.is_visible()
    keyboard.press("Escape")
    assert not menu.is_visible()
    keyboard.press("Enter")
    go_to(window, "A", "Costs of all")
    with window.page.expect_navigation():
        keyboard.press("Enter")
    assert window.page.inner_text("h1") == "Costs of all projects"
    assert not menu.is_visible()
