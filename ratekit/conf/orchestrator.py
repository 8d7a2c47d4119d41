"""[orchestrator]: how much is done at once."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

GROUP = "orchestrator"

OPTS = [
    cfg.IntOpt(
        "max_threads",
        default=16,
        min=1,
        max=1000,
        help="Green threads that collect metrics side by side, at most one a metric.",
    ),
    cfg.FloatOpt(
        "batch_seconds",
        default=20.0,
        min=0.1,
        help="How long collecting one batch should take, in seconds; batches grow and shrink "
        "to meet it.",
    ),
    cfg.IntOpt(
        "batch_frames",
        default=100_000,
        min=1,
        help="How many frames one batch should hold at most. Memory grows with it, by about "
        "1 KiB a frame.",
    ),
    cfg.FloatOpt(
        "retry_seconds",
        default=30.0,
        min=1.0,
        help="How long a scope rests after its first failure, in seconds; the rest doubles "
        "with each further failure, up to one collect period.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS)]
