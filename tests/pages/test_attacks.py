"""Attacks on the pages in a real browser: script in names, other sites' frames and forms."""

from __future__ import annotations

import pytest

from tests.pages.browser import Window
from tests.pages.conftest import OpenWindow
from tests.pages.people import SCRIPT
from tests.pages.site import Site

#: Another site: cookies of the pages' host are of no use there.
_OTHER = "http://attacker.test/"


def open_other_site(window: Window, content: str) -> None:
    """Open a page of another site in the same browser."""
    window.context.route(
        f"{_OTHER}**", lambda route: route.fulfill(body=content, content_type="text/html")
    )
    window.page.goto(_OTHER)


def test_script_in_names_and_labels_does_not_run(site: Site, open_window: OpenWindow) -> None:
    window = open_window("admin", scripts=True)
    scope = site.project_ids[SCRIPT]
    for address in (
        "/dashboard/projects", "/dashboard/totals", "/dashboard/status", "/dashboard/tasks",
        "/dashboard/tasks/1", "/dashboard/rules/history", f"/dashboard/overview?scope={scope}",
        f"/dashboard/costs?scope={scope}&by=flavor_name",
        f"/dashboard/resources?scope={scope}&search=<script>document.title='attacked'</script>",
    ):  # fmt: skip
        assert window.open(address) == 200
        assert window.inspect() == [], address
        assert "attacked" in window.page.inner_text("body"), address
        assert "attacked" not in window.page.title(), address


def test_script_would_be_noticed(open_window: OpenWindow) -> None:
    window = open_window("nobody", scripts=True)
    policy = "default-src 'none'"
    content = f"<title>x</title><h1 id=a>x</h1><p id=a><script>{SCRIPT[8:-9]}</script>"
    window.context.route(
        "**/attack",
        lambda route: route.fulfill(
            body=f"{content}<img src=http://attacker.test/x>",
            headers={"Content-Type": "text/html", "Content-Security-Policy": policy},
        ),
    )
    window.open("/attack")
    defects = window.inspect()
    assert "two elements #a" in defects
    assert len([each for each in defects if "Content Security Policy" in each]) == 2
    assert window.page.title() == "x"


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/dashboard/login", True),
        ("/dashboard/overview", True),
        ("/dashboard/static/style.css", True),
        # No page; it shows that frames would work.
        ("/healthcheck", False),
    ],
)
def test_no_other_site_shows_a_page_in_a_frame(
    site: Site, open_window: OpenWindow, path: str, refused: bool
) -> None:
    window = open_window("member", scripts=True)
    errors: list[str | None] = []
    window.page.on("requestfailed", lambda request: errors.append(request.failure))
    open_other_site(window, f"<iframe src='{site.url}{path}'></iframe>")
    assert ("net::ERR_BLOCKED_BY_RESPONSE" in errors) == refused


@pytest.mark.parametrize(
    ("path", "field"),
    [("zone", "zone=Asia/Tokyo"), ("logout", "x=y"), ("project", "project=demo-02")],
)
def test_a_form_of_another_site_changes_nothing(
    site: Site, open_window: OpenWindow, path: str, field: str
) -> None:
    window = open_window("member")
    name, _, value = field.partition("=")
    form = f"<form method=post action='{site.url}/dashboard/{path}'>"
    open_other_site(window, f"{form}<input name={name} value='{value}'><button>Win</button></form>")
    window.follow(window.page.get_by_role("button"))
    assert window.page.locator("h1").inner_text() != "Overview of demo-01"
    window.open("/dashboard/overview")
    person = window.page.locator(".person").inner_text().split()
    assert {"alice", "demo-01", "UTC"} <= set(person)


def test_other_sites_links_are_no_way_out(site: Site, open_window: OpenWindow) -> None:
    window = open_window("nobody")
    window.open(f"/dashboard/login?next={_OTHER}")
    window.log_in(site.member, address="")
    assert window.page.url.startswith(f"{site.url}/dashboard/")
