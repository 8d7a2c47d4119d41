"""[rating]: which modules turn usage into money."""

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
        "Each adds to what the ones before it charged.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    conf.register_opts(OPTS, group=GROUP)


def refusals(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    modules = conf[GROUP].modules
    if not modules:
        yield GROUP, "modules", "expected at least one module; 'noop' charges nothing"
    twice = sorted({name for name in modules if modules.count(name) > 1})
    if twice:
        yield GROUP, "modules", f"names {twice[0]!r} twice: it would charge twice"


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS)]
