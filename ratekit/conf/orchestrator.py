"""[orchestrator]: how much is done at once."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

GROUP = "orchestrator"

OPTS = [
    cfg.IntOpt(
        "max_workers",
        default=1,
        min=1,
        max=1000,
        help="Processes that share the scopes among them. One process is enough for one Gnocchi "
        "API process; SQLite allows one only.",
    ),
    cfg.IntOpt(
        "max_threads",
        mutable=True,
        default=16,
        min=1,
        max=1000,
        help="Green threads that collect metrics side by side, at most one a metric.",
    ),
    cfg.FloatOpt(
        "batch_seconds",
        mutable=True,
        default=20.0,
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="How long collecting one batch should take, in seconds; batches grow and shrink "
        "to meet it.",
    ),
    cfg.FloatOpt(
        "batch_timeout",
        mutable=True,
        default=300.0,
        min=1.0,
        max=3600.0,
        metavar="SECONDS",
        help="Seconds after which collecting a batch is given up, whatever it waits for; it is "
        "tried again in smaller parts.",
    ),
    cfg.IntOpt(
        "batch_frames",
        mutable=True,
        default=100_000,
        min=1,
        help="How many frames one batch should hold at most. Memory grows with it, by about "
        "1 KiB a frame.",
    ),
    cfg.FloatOpt(
        "retry_seconds",
        mutable=True,
        default=30.0,
        min=1.0,
        max=86400.0,
        metavar="SECONDS",
        help="How long a scope rests after its first failure, in seconds; the rest doubles "
        "with each further failure, up to max_retry_seconds.",
    ),
    cfg.FloatOpt(
        "max_retry_seconds",
        mutable=True,
        default=900.0,
        min=1.0,
        max=86400.0,
        metavar="SECONDS",
        help="How long a scope rests at most after a failure, in seconds; never longer than a "
        "collect period. Chance adds up to a quarter.",
    ),
    cfg.StrOpt(
        "skip_datapoints_expression",
        mutable=True,
        default="False",
        help="Rated points for which this is true are not stored, such as "
        'datapoint.get("vol", {}).get("qty", 0) == 0. A metric that has an expression of its own '
        "in metrics.yml goes by that alone.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS)]
