"""[rating]: which modules turn usage into money."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

GROUP = "rating"

OPTS = [
    cfg.ListOpt(
        "modules",
        default=["hashmap"],
        help="Names of the rating plug-ins (namespace ratekit.rating), highest priority first. "
        "Each adds to what the ones before it charged.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS)]
