"""[collect]: what is collected, and when a period is due."""

from __future__ import annotations

import datetime
from typing import Any

from oslo_config import cfg, types

from ratekit.domain.schedule.calendar import Calendar

GROUP = "collect"


class Start(types.String):
    """``month``, ``now`` or an ISO 8601 date or time."""

    def __call__(self, value: Any) -> str:
        """Return ``value``.

        :raises ValueError: it is none of them
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
        # A month: longer periods overflow the calendar.
        max=2_678_400,
        metavar="SECONDS",
        help="Length of a period in seconds. Periods start at multiples of it since the epoch, "
        "in UTC. Prices are per period: a change of this option changes what prices mean.",
    ),
    cfg.IntOpt(
        "wait_periods",
        default=2,
        min=0,
        max=1000,
        help="A period is rated when more than this number of periods have passed since it "
        "started, so that its measures have time to arrive.",
    ),
    cfg.StrOpt(
        "metrics_conf",
        mutable=True,
        default="/etc/ratekit/metrics.yml",
        help="Path of the file that defines the metrics to rate. Read again on SIGHUP.",
    ),
    cfg.StrOpt(
        "scope_key",
        default="project_id",
        help="Attribute of metered resources that identifies who is billed.",
    ),
    cfg.Opt(
        "start",
        type=Start(),
        default="month",
        metavar="month, now or an ISO 8601 date",
        help="Where rating of a new scope starts: 'month' (the start of this month, UTC), "
        "'now', or an ISO 8601 date. Rounded down to the start of a period.",
    ),
    cfg.BoolOpt(
        "allow_expired",
        default=False,
        deprecated_group="collector_gnocchi",
        help="Rate periods whose data the collector's back end has partly expired, and charge "
        "what is left. Otherwise, a scope that is at such a period is not rated, and an error is "
        "logged. For one run only: use ratekit-processor --once --allow-expired instead.",
    ),
]


def build_calendar(conf: Any) -> Calendar:
    """Return the grid of periods that ``conf`` defines.

    Commands that only read need no more of the processor, which takes longer to import.
    """
    return Calendar(datetime.timedelta(seconds=conf.collect.period), conf.collect.wait_periods)
