"""All pages; the menu has them in this order."""

from __future__ import annotations

from collections.abc import Sequence

from ratekit.dashboard.page import Page
from ratekit.dashboard.pages import (
    about,
    costs,
    explain,
    overview,
    prices,
    quote,
    resource,
    resources,
)

PAGES: Sequence[Page] = [
    *overview.PAGES,
    *costs.PAGES,
    *resources.PAGES,
    *resource.PAGES,
    *explain.PAGES,
    *prices.PAGES,
    *quote.PAGES,
    *about.PAGES,
]
