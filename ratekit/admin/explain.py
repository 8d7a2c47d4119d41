"""Why a frame costs what it costs: its usage, its rules, and what today's rules would charge."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.admin import quote
from ratekit.domain import exact
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.history import ChangeRecord, earlier_books
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector, RatingModule, Reports, RuleStore
from ratekit.pricing.price_list import PriceList

_INSTANT = datetime.timedelta(microseconds=1)
#: How many frames are told apart in an answer.
_MOST = 20

Labels = Mapping[str, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class FrameQuery:
    """Which frame is to be explained.

    :ivar scope: its id
    :ivar metric: public name
    :ivar begin: of its period, or a time in it; UTC
    :ivar labels: each has this value; an empty one also where it is absent
    :ivar resource: value of one of the labels that tell usages apart
    """

    scope: str
    metric: str
    begin: datetime.datetime
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resource: str | None = None

    def __str__(self) -> str:
        begin = self.begin.isoformat().replace("+00:00", "Z")
        return f"{self.metric} of scope {self.scope} in the period from {begin} on"


@dataclasses.dataclass(frozen=True, slots=True)
class PriceOrigin:
    """By which rules a stored price came about.

    :ivar explanation: by those rules; by the newest ones where ``given`` is False
    :ivar given: they give the stored price to the digit
    :ivar change: the change that came next; None: they are the newest
    :ivar newest: by the newest rules
    """

    explanation: Explanation
    given: bool
    change: ChangeRecord | None
    newest: Explanation


def find(reports: Reports, wanted: FrameQuery, calendar: Calendar) -> FrameRow:
    """Return the one frame that is meant.

    Where none begins then, it is one of the period that this is a time in.

    :raises ratekit.errors.OperatorError: there is none, or there are several
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = _frames(reports, wanted)
    if not rows:
        begin = quote.period_of(calendar, wanted.begin).begin
        wanted = dataclasses.replace(wanted, begin=begin)
        rows = _frames(reports, wanted)
    found = [row for row in rows if _matches(row, wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise errors.OperatorError("\n".join(_alternatives(found, wanted)))
    if rows:
        raise errors.OperatorError(
            f"{_lacking(rows, wanted)}: {_count(len(rows))} of {wanted}; see ratekit frame list"
        )
    raise errors.OperatorError(
        f"there is no frame of {wanted}; see ratekit frame list, and ratekit scope show for why"
    )


def _frames(reports: Reports, wanted: FrameQuery) -> Sequence[FrameRow]:
    begin, end = wanted.begin, wanted.begin + _INSTANT
    return list(reports.frames(Selection(begin, end, (wanted.scope,), (wanted.metric,))))


class PastRules:
    """The price rules as they are and as they were, read once for any number of frames.

    :param modules: highest priority first
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def __init__(self, store: RuleStore, modules: Sequence[RatingModule]) -> None:
        self._store = store
        self._modules = modules
        self._newest = PriceList(modules, store.read())
        self._records: Sequence[ChangeRecord] | None = None

    def origin(self, row: FrameRow) -> PriceOrigin:
        """Return the rules by which a frame came to its price, and what they say.

        The newest rules nearly always give it, since a change touches no period that has
        been rated. Where one was made to do so, changes are undone, newest first.

        :raises ratekit.errors.TryLater: the storage did not answer
        """
        series = _series(row)
        newest = self._newest.explain(series)
        if newest.price == row.price:
            return PriceOrigin(newest, True, None, newest)
        if self._records is None:
            self._records = self._store.records()
        changes = {record.version: record for record in self._records}
        for book in earlier_books(self._newest.book, self._records):
            change = changes[book.version + 1]
            if change.made_at < row.begin:
                break  # nothing is rated before it has begun, so these rules rated it no more
            if change.since is not None and change.since > row.begin:
                continue
            price_list = PriceList(self._modules, book)
            if price_list.prices(series)[0] == row.price:
                return PriceOrigin(price_list.explain(series), True, change, newest)
        return PriceOrigin(newest, False, None, newest)


def metric_of(row: FrameRow, metrics: Sequence[Metric]) -> Metric:
    """Return what a frame was collected for.

    :raises ratekit.errors.OperatorError: there is no such metric any more
    """
    for metric in metrics:
        if metric.public_name == row.metric:
            return metric
    raise errors.OperatorError(f"metrics.yml has no metric called {row.metric!r} any more")


def reduction(
    row: FrameRow, metric: Metric, collector: Collector, window: Window
) -> list[TraceStep]:
    """Return how a frame's quantity comes about, as far as the back end still has it.

    :param window: the frame's period
    :returns: parts, which add up to the quantity; empty: the back end has nothing of it
    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer, or the collector does not tell
    """
    steps = metric_admin.sample(metric, collector, window, [row.scope])
    return [step for step in steps if step.groupby == row.groupby and step.metadata == row.metadata]


def quantity(steps: Sequence[TraceStep]) -> Decimal:
    """Return what the parts of a usage add up to."""
    total = exact.ZERO
    for step in steps:
        total = exact.EXACT.add(total, step.trace.quantity)
    return total


def _series(row: FrameRow) -> Series:
    points = [(row.begin, row.quantity)]
    return Series(row.scope, row.metric, row.unit, row.groupby, row.metadata, points)


def _labels(row: FrameRow) -> Labels:
    return {**row.metadata, **row.groupby}


def _matches(row: FrameRow, wanted: FrameQuery) -> bool:
    labels = _labels(row)
    return (wanted.resource is None or wanted.resource in row.groupby.values()) and all(
        (labels.get(name) or "") == value for name, value in wanted.labels.items()
    )


def _alternatives(rows: Sequence[FrameRow], wanted: FrameQuery) -> Iterator[str]:
    """Yield a line for each frame with what tells it from the others."""
    yield f"{_count(len(rows))} of {wanted}; choose one by its labels:"
    names = dict.fromkeys(name for row in rows for name in _labels(row))
    telling = [name for name in names if len({_labels(row).get(name) for row in rows}) > 1]
    for row in rows[:_MOST]:
        labels = _labels(row)
        yield "  " + ", ".join(f"{name}={labels.get(name) or ''}" for name in telling)
    if len(rows) > _MOST:
        yield f"  and {len(rows) - _MOST} more"


def _lacking(rows: Sequence[FrameRow], wanted: FrameQuery) -> str:
    """Return the first thing wanted that no frame has; several may only be found apart."""
    names = {name for row in rows for name in _labels(row)}
    for name, value in wanted.labels.items():
        if value and name not in names:
            return f"none has a label {name!r}{errors.nearest(name, names)}"
        values = {_labels(row).get(name) or "" for row in rows}
        if value not in values:
            return f"none has {name}={value}{errors.nearest(value, values)}"
    known = {value for row in rows for value in row.groupby.values() if value}
    if wanted.resource is not None and wanted.resource not in known:
        return f"none is of {wanted.resource!r}{errors.nearest(wanted.resource, known)}"
    return "none has all of these labels"


def _count(frames: int) -> str:
    return f"{frames:,} frame{'' if frames == 1 else 's'}"
