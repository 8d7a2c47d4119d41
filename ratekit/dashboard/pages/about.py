"""``/dashboard/about``: what is measured, and how amounts are shown."""

from __future__ import annotations

from ratekit.api.arguments import Arguments
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.text import duration_text


def show_about(call: PageCall[Arguments]) -> View:
    """Show the metrics that are rated."""
    metrics = call.parts.metrics.read().infos
    rows = [(metric.name, metric.unit, " ".join(metric.labels)) for metric in metrics]
    return View(
        {"metrics": metrics, "period": duration_text(call.parts.calendar.step)},
        Table("metrics", ["metric", "unit", "labels"], rows),
    )


PAGES = [
    Page("/dashboard/about", show_about, "info:list_metrics_info", "About", "about.html"),
]
