"""All pages; the menu has them in this order."""

from __future__ import annotations

from collections.abc import Sequence

from ratekit.dashboard.page import Page
from ratekit.dashboard.pages import (
    about,
    costs,
    coverage,
    explain,
    gaps,
    overview,
    plan,
    prices,
    projects,
    quote,
    resource,
    resources,
    rules,
    status,
    tasks,
    totals,
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
    *status.PAGES,
    *projects.PAGES,
    *totals.PAGES,
    *gaps.PAGES,
    *coverage.PAGES,
    *rules.PAGES,
    *plan.PAGES,
    *tasks.PAGES,
]
