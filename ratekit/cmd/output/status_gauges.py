"""The state of rating as gauges of Prometheus."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

from ratekit.cmd.output.prometheus import Gauge
from ratekit.domain.reporting.status import Issue, ProcessorStatus, Status, Verdict

_Samples = Sequence[tuple[Mapping[str, str], float]]

#: Name without prefix, help, and what reads the samples.
_GAUGES: Sequence[tuple[str, str, Callable[[Status], _Samples]]] = (
    (
        "rated_until_timestamp_seconds",
        "Until when all scopes are rated.",
        lambda status: _instants(status.rated_until),
    ),
    (
        "due_until_timestamp_seconds",
        "End of the newest period that is due.",
        lambda status: _instants(status.due_until),
    ),
    (
        "lag_seconds",
        "How far the slowest scope is behind what is due.",
        lambda status: [({}, status.lag.total_seconds())],
    ),
    (
        "scopes",
        "Number of scopes; those that are late or failing are active, too.",
        lambda status: [({"state": state}, count) for state, count in status.scopes.items()],
    ),
    (
        "problems",
        "Number of scopes, resources, tasks or processors that are late, failing or left out.",
        lambda status: _sum_by_kind(status.problems),
    ),
    (
        "notes",
        "Number of usages that no rule prices, and of scopes that stopped using a silent metric.",
        lambda status: _sum_by_kind(status.notes),
    ),
    ("open_tasks", "Number of open reprocessing tasks.", lambda status: [({}, status.tasks)]),
    (
        "processor_up",
        "1 if the last cycle of a processor succeeded and the next one is not overdue.",
        lambda status: [(_name(processor), _is_up(processor)) for processor in status.processors],
    ),
    (
        "processor_seen_timestamp_seconds",
        "When a processor last started or ended a cycle.",
        lambda status: [
            (_name(processor), processor.record.seen_at.timestamp())
            for processor in status.processors
        ],
    ),
)


def build(status: Status, now: datetime.datetime) -> Sequence[Gauge]:
    """Return all gauges."""
    return [
        *_common(status.verdict, now),
        *(Gauge(f"ratekit_{name}", text, read(status)) for name, text, read in _GAUGES),
    ]


def build_unknown(now: datetime.datetime) -> Sequence[Gauge]:
    """Return the gauges of a state that cannot be read."""
    return _common(Verdict.UNKNOWN, now)


def _common(verdict: Verdict, now: datetime.datetime) -> Sequence[Gauge]:
    return [
        Gauge("ratekit_status", "0 well, 1 late or failing, 2 cannot tell.", [({}, verdict)]),
        Gauge(
            "ratekit_status_timestamp_seconds",
            "When this was read from the database.",
            [({}, now.timestamp())],
        ),
    ]


def _instants(instant: datetime.datetime | None) -> _Samples:
    return [] if instant is None else [({}, instant.timestamp())]


def _sum_by_kind(issues: Sequence[Issue]) -> _Samples:
    counts: dict[str, int] = {}
    for issue in issues:
        counts[issue.kind.value] = counts.get(issue.kind.value, 0) + issue.count
    return [({"kind": kind}, count) for kind, count in counts.items()]


def _name(processor: ProcessorStatus) -> Mapping[str, str]:
    return {"processor": processor.record.name}


def _is_up(processor: ProcessorStatus) -> int:
    return int(processor.state.is_up)
