"""[storage]: how long frames and totals are kept."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "storage"

OPTS = [
    cfg.IntOpt(
        "retention",
        # Always more than the previous month.
        min=62,
        max=36500,
        help="Days after which the daemon removes frames and totals, a few at a time between two "
        "cycles; those since the begin of the previous month (UTC) are kept in any case. Default: "
        "they are kept forever. See ratekit-dbsync purge.",
    ),
    cfg.BoolOpt(
        "keep_totals",
        default=True,
        help="With retention: remove only frames. Summaries without labels are made of totals, "
        "which need much less space. With false, what is rated late, after the retention, is "
        "removed at once, before anybody has billed it.",
    ),
]
