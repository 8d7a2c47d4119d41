"""[collect]: what is collected, and when a period is due."""

from __future__ import annotations

import datetime
from typing import Any

from oslo_config import cfg, types

GROUP = "collect"


class Start(types.String):
    """``month``, ``now`` or an ISO 8601 date or time."""

    def __call__(self, value: Any) -> str:
        """Return ``value``.

        :raises ValueError: it is neither
        """
        if value not in ("month", "now"):
            datetime.datetime.fromisoformat(value)
        return str(value)


OPTS = [
    cfg.StrOpt(
        "collector",
        default="gnocchi",
        help="Name of the collector plug-in (namespace ratekit.collectors).",
    ),
    cfg.IntOpt(
        "period",
        default=3600,
        min=60,
        # A month: longer ones overflow the calendar at some point.
        max=2_678_400,
        metavar="SECONDS",
        help="Length of a rated period in seconds. Periods begin at multiples of it since "
        "the epoch, UTC. Prices are per period: changing it changes what prices mean.",
    ),
    cfg.IntOpt(
        "wait_periods",
        default=2,
        min=0,
        max=1000,
        help="A period is rated when more than this many periods have gone by since it "
        "began, so that measures have time to arrive.",
    ),
    cfg.StrOpt(
        "metrics_conf",
        mutable=True,
        default="/etc/ratekit/metrics.yml",
        help="Path of the file that names the metrics to rate; re-read at SIGHUP.",
    ),
    cfg.StrOpt(
        "scope_key",
        default="project_id",
        help="Attribute of metered resources that tells who is billed.",
    ),
    cfg.Opt(
        "start",
        type=Start(),
        default="month",
        metavar="month, now or an ISO 8601 date",
        help="Where a scope that was never rated starts: 'month' (begin of this month, UTC), "
        "'now', or an ISO 8601 date; rounded down to a period.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS)]
