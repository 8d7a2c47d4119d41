"""[orchestrator]: batches, parallel work and retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from ratekit.coordination import service_url

GROUP = "orchestrator"

OPTS = [
    cfg.StrOpt(
        "coordination_url",
        secret=True,
        help="URL of a coordination service by which daemons on several hosts share the scopes: "
        "etcd3+http://host:2379, etcd3+https://host:2379, redis://:password@host:6379, "
        "rediss://host:6379 or zookeeper://host:2181, with the options of the tooz library, such "
        "as ?membership_timeout=10 (seconds after which a daemon that died is left out). With "
        "?group=NAME, clouds that use the same service do not mix. Other services are ignored. "
        "Without one, daemons that use the same database see each other there.",
    ),
    cfg.IntOpt(
        "max_workers",
        default=1,
        min=1,
        max=1000,
        help="Number of worker processes, which divide the scopes among them. One worker is "
        "enough for one Gnocchi API process. SQLite supports one worker.",
    ),
    cfg.IntOpt(
        "max_threads",
        mutable=True,
        default=16,
        min=1,
        max=1000,
        help="Maximum number of green threads that collect at the same time, one for each metric.",
    ),
    cfg.FloatOpt(
        "batch_seconds",
        mutable=True,
        default=20.0,
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="Target duration of collecting one batch, in seconds. Batches grow and shrink to "
        "meet it.",
    ),
    cfg.FloatOpt(
        "batch_timeout",
        mutable=True,
        default=300.0,
        min=1.0,
        max=3600.0,
        metavar="SECONDS",
        help="Seconds after which ratekit stops collecting a batch and retries it in smaller "
        "parts. The same limit applies to listing the scopes.",
    ),
    cfg.IntOpt(
        "batch_frames",
        mutable=True,
        default=100_000,
        min=1,
        help="Target for the maximum size of one batch in frames; each series, which is what one "
        "resource used of one metric, counts as 8 frames more. Memory use grows with it, by "
        "about 0.5 KiB per frame. A scope with more than that in one period is collected in "
        "parts.",
    ),
    cfg.FloatOpt(
        "retry_seconds",
        mutable=True,
        default=30.0,
        min=1.0,
        max=86400.0,
        metavar="SECONDS",
        help="Seconds until a scope is retried after its first failure. The delay doubles with "
        "each further failure, up to max_retry_seconds.",
    ),
    cfg.FloatOpt(
        "max_retry_seconds",
        mutable=True,
        default=900.0,
        min=1.0,
        max=86400.0,
        metavar="SECONDS",
        help="Maximum number of seconds until a failed scope is retried, limited to "
        "[collect] period. A random part of up to a quarter is added.",
    ),
    cfg.FloatOpt(
        "max_clock_skew",
        default=60.0,
        min=1.0,
        max=3600.0,
        metavar="SECONDS",
        help="Maximum difference of the clocks of this host, Keystone, Gnocchi and the "
        "database, in seconds. While two of them differ more, nothing is rated, because a wrong "
        "clock would end periods before their usage is complete. Smaller differences only "
        "delay rating.",
    ),
    cfg.StrOpt(
        "skip_datapoints_expression",
        mutable=True,
        default="False",
        help="Rated data points for which this expression is true are not stored. Example: "
        'datapoint.get("vol", {}).get("qty", 0) == 0. It does not apply to metrics that have an '
        "expression of their own in metrics.yml.",
    ),
]


def check(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where a URL cannot be used."""
    url = conf[GROUP].coordination_url
    mistake = service_url.find_mistake(url) if url else None
    if mistake is not None:
        yield GROUP, "coordination_url", mistake
