"""All pages; the menu has them in this order."""

from __future__ import annotations

from collections.abc import Sequence

from ratekit.dashboard.page import Page
from ratekit.dashboard.pages import about

PAGES: Sequence[Page] = [
    *about.PAGES,
]
