"""Chromium, and what a page must never do in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Response,
    Route,
    sync_playwright,
)

from tests.pages.clock import require
from tests.stack.keystone import User

Colors = Literal["light", "dark"]
WIDE, NARROW = 1440, 360
_HEIGHT = 900
#: Milliseconds for each step; machines of tests are busy.
_PATIENCE = 60_000

#: What is wrong in the page as it is shown.
INSPECTION = """() => {
    const defects = [];
    const heads = document.querySelectorAll('h1').length;
    if (heads !== 1) defects.push(`${heads} elements h1`);
    if (!document.title.trim()) defects.push('no title');
    const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
    for (const id of new Set(ids))
        if (ids.filter(other => other === id).length > 1) defects.push(`two elements #${id}`);
    const root = document.scrollingElement;
    if (root.scrollWidth > root.clientWidth)
        defects.push(`the page is ${root.scrollWidth} px wide, the window ${root.clientWidth}`);
    const start = document.querySelector('h1').getBoundingClientRect().top + scrollY;
    if (start > innerHeight / 4) defects.push(`the content starts at ${start} px`);
    const isSeen = each => each.getBoundingClientRect().width > 1;
    for (const cell of document.querySelectorAll('th, td, caption'))
        if (isSeen(cell) && cell.scrollWidth > cell.clientWidth + 1)
            defects.push(`${cell.innerText} is wider than its place`);
    for (const drawing of document.querySelectorAll('.chart svg')) {
        const texts = [...drawing.querySelectorAll('text')].filter(isSeen)
            .map(text => [text.textContent, text.getBoundingClientRect()]);
        texts.forEach(([text, box], index) => {
            if (box.left < 0 || box.right > root.clientWidth) defects.push(`${text} is cut`);
            for (const [other, {left, right, top, bottom}] of texts.slice(index + 1))
                if (left < box.right && box.left < right && top < box.bottom && box.top < bottom)
                    defects.push(`${text} and ${other} overlap`);
        });
    }
    return defects;
}"""

_TABLES = """() => [...document.querySelectorAll('main .scroll table')].map(table => {
    const heads = [...table.tHead.rows[0].cells].map(cell => cell.innerText.trim());
    return [...table.tBodies[0].rows].map(row => Object.fromEntries([...row.cells].map(
        (cell, place) => {
            const number = cell.querySelector('data, time');
            const text = number ? number.value || number.dateTime : cell.innerText.trim();
            return [heads[place], text];
        })));
})"""
#: Cells by the titles of their columns, each as its number with all digits, or its text.
Table = Sequence[Mapping[str, str]]


@contextmanager
def run() -> Iterator[Browser]:
    """Run the system's Chromium without a window."""
    program = require("chromium", "chromium")
    # Else Chromium keeps other sites from this host before any page has to.
    arguments = ["--disable-dev-shm-usage", "--disable-features=LocalNetworkAccessChecks"]
    if os.geteuid() == 0:
        # Chromium refuses to build its sandbox as root.
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A browser window of one person, and all that went wrong in it.

    :param url: of ratekit-api; requests to other hosts are refused
    :param scripts: let scripts run, if the page allows any
    :param lenient: ignore the page's Content-Security-Policy
    """

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        width: int = WIDE,
        colors: Colors = "light",
        scripts: bool = False,
        lenient: bool = False,
    ) -> None:
        self.url = url
        self.problems: list[str] = []
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": _HEIGHT},
            color_scheme=colors,
            java_script_enabled=scripts,
            bypass_csp=lenient,
            base_url=url,
        )
        self.context.set_default_timeout(_PATIENCE)
        self.context.route("**/*", self._choose)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("response", self._see)

    def close(self) -> None:
        """Close it."""
        self.context.close()

    def log_in(self, user: User, address: str = "/dashboard") -> None:
        """Log in by name and password, and get to a page.

        :param address: empty: the log-in is open already
        """
        if address:
            self.page.goto(address)
        form = self.page.get_by_role("region", name="With a password")
        form.get_by_role("textbox", name="User", exact=True).fill(user.name)
        form.get_by_role("textbox", name="Password").fill(user.password)
        form.get_by_role("textbox", name="Project (empty: your").fill(user.project)
        self.follow(form.get_by_role("button", name="Log in"))
        assert "/dashboard/login" not in self.page.url, self.page.inner_text("main")

    def open(self, address: str) -> int:
        """Open a page; return its HTTP status."""
        response = self.page.goto(address)
        assert response is not None, address
        return response.status

    def follow(self, what: Locator) -> None:
        """Click a link or a button, and wait for the page that it leads to."""
        with self.page.expect_navigation():
            what.click()

    def inspect(self) -> Sequence[str]:
        """Return what is wrong in the page, and forget it."""
        defects = [*self.problems, *self.page.evaluate(INSPECTION)]
        self.problems.clear()
        return defects

    def forgive(self, status: int) -> None:
        """Forget that a page, which was to be an error, had its HTTP status."""
        self.problems = [each for each in self.problems if f"{status} " not in each]

    def tables(self) -> Sequence[Table]:
        """Return all tables but those that are charts."""
        tables: Sequence[Table] = self.page.evaluate(_TABLES)
        return tables

    def figure(self, title: str) -> str:
        """Return a main number with all digits."""
        number = self.page.locator(".figure", has_text=title).locator("data").first
        return number.get_attribute("value") or ""

    def links(self) -> Sequence[str]:
        """Return the addresses of all links of the page to the same host, without fragments."""
        addresses: Sequence[str] = self.page.evaluate(
            "() => [...document.querySelectorAll('a[href]')].map(link => "
            "(typeof link.href === 'string' ? link.href : "
            "new URL(link.getAttribute('href'), document.baseURI).href))"
        )
        plain = dict.fromkeys(address.partition("#")[0] for address in addresses)
        return [address.removeprefix(self.url) for address in plain if self._is_ours(address)]

    def _is_ours(self, address: str) -> bool:
        return address.startswith(f"{self.url}/")

    def _choose(self, route: Route) -> None:
        if self._is_ours(route.request.url):
            route.continue_()
            return
        self.problems.append(f"a request to {route.request.url}")
        route.abort()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _see(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} of {response.url}")
