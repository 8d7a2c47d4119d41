"""What operators ask about metrics: what they mean, whether they work, what they would yield."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector, MetricDescription, MetricInspection, QuantityTrace

#: Scopes that are asked for together.
_TOGETHER = 50


@dataclasses.dataclass(frozen=True, slots=True)
class MetricFinding:
    """A finding, and of which metric.

    :ivar metric: public name; None where it is about the back end as a whole
    """

    metric: str | None
    finding: Finding


def conversion(metric: Metric) -> str:
    """Write what is done to a collected value, step by step; empty: nothing."""
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
    """Return the metric of this public name, or else the only one of this name.

    :raises ratekit.errors.OperatorError: there is none, or there are several
    """
    found = [one for one in metrics if one.public_name == word]
    found = found or [one for one in metrics if one.name == word]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.public_name for one in found)
        raise errors.OperatorError(f"{word!r} has {len(found)} definitions; choose of {names}")
    known = [one.public_name for one in metrics]
    hint = errors.nearest(word, known) or f"; there are: {', '.join(known)}"
    raise errors.OperatorError(f"no metric is called {word!r}{hint}")


def check(metrics: Sequence[Metric], collector: Collector) -> list[MetricFinding]:
    """Hold metrics against the back end; what is about it as a whole comes last, once.

    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.Denied: it refuses ratekit itself
    """
    found = []
    # Of what is asked with every metric, the newest answer counts.
    shared: dict[str, Finding] = {}
    for metric in metrics:
        for finding in _inspect(metric, collector):
            if finding.shared:
                shared[finding.what] = finding
            else:
                found.append(MetricFinding(metric.public_name, finding))
    return found + [MetricFinding(None, finding) for finding in shared.values()]


def describe(metric: Metric, collector: Collector) -> Mapping[str, str]:
    """Return what is read for ``metric``; nothing: the collector cannot describe it."""
    return collector.describe(metric) if isinstance(collector, MetricDescription) else {}


def _inspect(metric: Metric, collector: Collector) -> Sequence[Finding]:
    if not isinstance(collector, MetricInspection):
        return ()
    try:
        return collector.inspect(metric)
    except errors.AccessDenied:
        raise
    except errors.OperatorError as error:
        remedy = "correct what it refuses"
        return [Finding("inspection", Severity.ERROR, str(error), remedy)]


def sampled_period(
    calendar: Calendar, begin: datetime.datetime | None, now: datetime.datetime
) -> Window:
    """Return the period that begins at ``begin``, by default the newest that is due.

    :raises ratekit.errors.OperatorError: no period begins there
    """
    if begin is None:
        begin = calendar.due_until(now) - calendar.step
    elif not calendar.on_grid(begin):
        nearest = calendar.floor(begin), period.ceiling(begin, calendar.step)
        before, after = (one.isoformat().replace("+00:00", "Z") for one in nearest)
        raise errors.OperatorError(
            f"no period of {calendar.step} begins there: the nearest that do begin at {before} "
            f"and {after}"
        )
    return Window(begin, calendar.step, 1)


def sample(
    metric: Metric, collector: Collector, window: Window, scopes: Collection[str]
) -> Iterator[TraceStep]:
    """Yield what scopes would be charged for, and why; writes nothing.

    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer, or the collector does not tell
    """
    if not isinstance(collector, QuantityTrace):
        raise errors.OperatorError("this collector cannot explain its quantities")
    ordered = sorted(set(scopes))
    for index in range(0, len(ordered), _TOGETHER):
        yield from collector.trace(metric, window, ordered[index : index + _TOGETHER])
