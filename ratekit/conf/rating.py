"""[rating]: which modules turn usage into prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

GROUP = "rating"

OPTS = [
    cfg.ListOpt(
        "modules",
        default=["hashmap"],
        help="Names of the rating plug-ins (namespace ratekit.rating), highest priority first. "
        "Each module adds to the prices of the modules before it.",
    ),
    cfg.StrOpt(
        "without_rules",
        mutable=True,
        default="hold",
        choices=[
            ("hold", "rate nothing until there are price rules"),
            ("free", "rate all usage at price 0"),
        ],
        help="What to do while there has never been a price rule, if all prices come from rules. "
        "What has been rated at price 0 is charged only after reprocessing.",
    ),
    cfg.IntOpt(
        "decimals",
        default=2,
        min=0,
        max=28,
        help="Decimal places of prices in the tables of reports. Prices are stored, added up and "
        "written in other formats with all their digits.",
    ),
    cfg.StrOpt(
        "currency",
        default="",
        max_length=10,
        help="Currency of the costs in price rules, such as EUR. Reports name it; nothing is "
        "converted.",
    ),
]


def check(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    modules = conf[GROUP].modules
    if not modules:
        yield GROUP, "modules", "expected at least one module; 'noop' charges nothing"
    repeated = sorted({name for name in modules if modules.count(name) > 1})
    if repeated:
        yield GROUP, "modules", f"names {repeated[0]!r} twice: it would charge twice"
