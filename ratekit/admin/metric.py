"""Describe, check and sample metrics."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain.period import Window
from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector, MetricDescription, MetricInspection, QuantityTrace

#: How many scopes one request to the back end covers.
_BATCH_SIZE = 50


@dataclasses.dataclass(frozen=True, slots=True)
class MetricFinding:
    """A finding with its metric.

    :ivar metric: public name; None: the finding is about the back end as a whole
    """

    metric: str | None
    finding: Finding


def conversion(metric: Metric) -> str:
    """Write how a collected value is converted, step by step; empty: it is not."""
    words = []
    if metric.factor != 1:
        words.append(f"* {metric.factor}")
    if metric.offset:
        words.append(f"{'+' if metric.offset > 0 else '-'} {abs(metric.offset)}")
    if metric.mutate is Mutate.MAP:
        pairs = (f"{key}: {value}" for key, value in metric.mutate_map.items())
        words.append(f"MAP {{{', '.join(pairs)}}}")
    elif metric.mutate is not Mutate.NONE:
        words.append(metric.mutate.name)
    if metric.prorate:
        words.append("prorate")
    return " ".join(words)


def find(metrics: Sequence[Metric], word: str) -> Metric:
    """Return the metric with this public name, or else the only one with this name.

    :raises ratekit.errors.OperatorError: there is none, or there are several
    """
    matches = [metric for metric in metrics if metric.public_name == word]
    matches = matches or [metric for metric in metrics if metric.name == word]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(metric.public_name for metric in matches)
        raise errors.OperatorError(
            f"{word!r} has {len(matches)} definitions; use a public name: {names}"
        )
    public_names = [metric.public_name for metric in metrics]
    hint = errors.suggestion(word, public_names) or f"; known metrics: {', '.join(public_names)}"
    raise errors.OperatorError(f"no metric is called {word!r}{hint}")


def check(metrics: Sequence[Metric], collector: Collector) -> list[MetricFinding]:
    """Compare metrics with the back end; findings about the back end itself come last, once.

    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.AccessDenied: it refuses ratekit itself
    """
    entries = []
    # Each metric repeats the findings about the back end; the newest count.
    shared: dict[str, Finding] = {}
    for metric in metrics:
        for finding in _inspect(metric, collector):
            if finding.shared:
                shared[finding.check] = finding
            else:
                entries.append(MetricFinding(metric.public_name, finding))
    return entries + [MetricFinding(None, finding) for finding in shared.values()]


def describe(metric: Metric, collector: Collector) -> Mapping[str, str]:
    """Return what the collector reads for ``metric``; empty: it cannot describe it."""
    return collector.describe(metric) if isinstance(collector, MetricDescription) else {}


def _inspect(metric: Metric, collector: Collector) -> Sequence[Finding]:
    if not isinstance(collector, MetricInspection):
        return ()
    try:
        return collector.inspect(metric)
    except errors.AccessDenied:
        raise
    except errors.OperatorError as error:
        remedy = "correct the definition"
        return [Finding("inspection", Severity.ERROR, str(error), remedy)]


def sample_period(
    calendar: Calendar, begin: datetime.datetime | None, now: datetime.datetime
) -> Window:
    """Return the period that starts at ``begin``, by default the newest that is due.

    :raises ratekit.errors.OperatorError: ``begin`` is not the start of a period
    """
    if begin is None:
        begin = calendar.due_until(now) - calendar.step
    else:
        scope_admin.require_start(begin, calendar.step)
    return Window(begin, calendar.step, 1)


def sample(
    metric: Metric,
    collector: Collector,
    window: Window,
    scopes: Collection[str],
    records_until: datetime.datetime | None = None,
) -> Iterator[TraceStep]:
    """Yield the quantities of scopes and their calculation; write nothing.

    :param records_until: see :meth:`ratekit.interfaces.Collector.collect`
    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer, or the collector cannot explain
    """
    if not isinstance(collector, QuantityTrace):
        raise errors.OperatorError("this collector cannot explain its quantities")
    scope_ids = sorted(set(scopes))
    for index in range(0, len(scope_ids), _BATCH_SIZE):
        batch = scope_ids[index : index + _BATCH_SIZE]
        yield from collector.trace(metric, window, batch, records_until)


def merge_labels(*sources: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return the label names of each metric from all sources together."""
    label_names: dict[str, set[str]] = {}
    for source in sources:
        for metric, names in source.items():
            label_names.setdefault(metric, set()).update(names)
    return label_names
