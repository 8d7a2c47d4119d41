"""A ratekit-api whose only page reads the database: ``python -m tests.slow_pages CONF``."""

from __future__ import annotations

import datetime
import sys

from ratekit.api.arguments import Arguments
from ratekit.cmd import api, configuration, http_server
from ratekit.dashboard import application
from ratekit.dashboard.page import Page, PageCall, View
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection

PATH = "/dashboard/slow"


def show_sums(call: PageCall[Arguments]) -> View:
    """Read what may take long."""
    selection = Selection(scopes=ALL_SCOPES)
    rows = list(call.parts.storage.reports.summary(selection, ("scope",), datetime.UTC))
    message = f"{len(rows)} scopes were read"
    return View({"title": "Sums", "message": message, "advice": "", "settings_link": ""})


if __name__ == "__main__":
    conf = configuration.load_for_serving(api.PROG, ["--config-file", sys.argv[1]])
    pages = [Page(PATH, show_sums, None, "Sums", "error.html")]
    http_server.serve(conf, application.build(api.build_parts(conf), pages))
