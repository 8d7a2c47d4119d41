"""Every view of the pages, and how a reader gets there."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

from tests.pages.browser import Window

Reader = Literal["nobody", "member", "admin"]


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """One view.

    :ivar name: of its picture
    :ivar reader: who sees it
    :ivar address: where the way starts
    :ivar clicks: selectors of what is clicked then, one after another
    :ivar status: HTTP status of ``address``
    """

    name: str
    reader: Reader
    address: str
    clicks: Sequence[str] = ()
    status: int = 200

    def show(self, window: Window, rules: pathlib.Path) -> None:
        """Show it in a window of its reader.

        :param rules: a rule file to plan
        """
        status = window.open(self.address)
        assert status == self.status, f"{self.address}: {status}"
        if status >= 400:
            window.forgive(status)
        for selector in self.clicks:
            if selector == _FILE:
                window.page.set_input_files(selector, rules)
            else:
                window.follow(window.page.locator(selector).first)


_FILE = "input[type=file]"
_FIRST = "main tbody tr th a"
#: The first amount of a table's body that leads on.
_AMOUNT = "main tbody td.number a"
_QUOTE = "metric=instance&quantity=1&label:flavor_name=m1.large"
_TURNING_DAY = "begin=2026-03-02&end=2026-03-03"

VIEWS: Sequence[View] = (
    View("login", "nobody", "/dashboard/login"),
    View("overview", "member", "/dashboard/overview"),
    View("costs", "member", "/dashboard/costs"),
    View("costs-by-metric", "member", "/dashboard/costs?by=metric"),
    View("costs-by-hour", "member", f"/dashboard/costs?by=hour&{_TURNING_DAY}"),
    View("resources", "member", "/dashboard/resources"),
    View("resource", "member", "/dashboard/resources", (_FIRST,)),
    View("resource-hours", "member", "/dashboard/resources", (_FIRST, _FIRST)),
    View("price", "member", "/dashboard/resources", (_FIRST, _FIRST, _AMOUNT)),
    View("prices", "member", "/dashboard/prices"),
    View(
        "quote", "member", "/dashboard/quote?metric=instance&quantity=1&label:flavor_name=m1.large"
    ),
    View("settings", "member", "/dashboard/settings"),
    View("about", "member", "/dashboard/about"),
    View("empty", "member", "/dashboard/costs?begin=2025-01-01&end=2025-02-01"),
    View("mistake", "member", "/dashboard/costs?begin=yesterday", status=400),
    View("refused", "member", "/dashboard/status", status=403),
    View("absent", "member", "/dashboard/nothing", status=404),
    View("status", "admin", "/dashboard/status"),
    View("projects", "admin", "/dashboard/projects"),
    View("totals", "admin", "/dashboard/totals"),
    View("gaps", "admin", "/dashboard/gaps"),
    View("periods", "admin", "/dashboard/gaps", (_FIRST,)),
    View("rules", "admin", "/dashboard/rules"),
    View("rules-scheduled", "admin", "/dashboard/rules?stage=scheduled"),
    View("rule", "admin", "/dashboard/rules?search=m1.large", ("main tbody tr a",)),
    View("rule-history", "admin", "/dashboard/rules/history"),
    View("rule-change", "admin", "/dashboard/rules/history", (_FIRST,)),
    View("plan", "admin", "/dashboard/plan", (_FILE, "main form button")),
    View("tasks", "admin", "/dashboard/tasks"),
    View("task", "admin", "/dashboard/tasks/1"),
)
