"""What tests of the pages share: one cloud, one browser, and the readers' windows."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.pages import browser as browsers
from tests.pages import site as sites
from tests.pages.browser import Window
from tests.pages.clock import require
from tests.pages.site import Site
from tests.pages.views import Reader

#: What takes minutes.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"

full = pytest.mark.skipif(not FULL, reason="only the long profile sees all views")

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a cloud with a history, and its pages."""
    require("chromium", "chromium")
    require("faketime", "faketime")
    with sites.run(tmp_path_factory.mktemp("pages")) as site:
        yield site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with browsers.run() as browser:
        yield browser


@pytest.fixture
def open_window(site: Site, browser: Browser) -> Iterator[OpenWindow]:
    """Return a function that opens windows of readers, who have logged in."""
    windows = []

    def open_one(reader: Reader, **options: Any) -> Window:
        window = Window(browser, site.url, **options)
        windows.append(window)
        if reader != "nobody":
            window.log_in(site.member if reader == "member" else site.admin)
        return window

    yield open_one
    for window in windows:
        window.close()


@pytest.fixture(scope="session")
def planned_rules(site: Site, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a rule file that raises a price."""
    return site.write_planned_rules(tmp_path_factory.mktemp("rules"))
