"""Explain the price of a frame: its usage, its rules, and the price by today's rules."""

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
from ratekit.domain.reprocessing.task import PeriodOutcome, Swap, TaskKind
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.history import ChangeRecord, earlier_books
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector, RatingModule, Reports, RuleStore, Storage
from ratekit.pricing import stored_usage
from ratekit.pricing.price_list import PriceList
from ratekit.text import count_text, utc_text

_INSTANT = datetime.timedelta(microseconds=1)
#: How many frames a message lists.
_FRAME_LIMIT = 20

Labels = Mapping[str, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class FrameQuery:
    """The frame to explain.

    :ivar scope: ID of its scope
    :ivar metric: public name of its metric
    :ivar begin: start of its period, or a time in the period, UTC
    :ivar labels: the values of its labels; an empty value also matches an absent label, and
        None a label that is null
    :ivar resource: the value of one of its groupby labels; None: any
    """

    scope: str
    metric: str
    begin: datetime.datetime
    labels: Labels = dataclasses.field(default_factory=dict)
    resource: str | None = None

    def __str__(self) -> str:
        begin = utc_text(self.begin)
        return f"{self.metric} of scope {self.scope} in the period starting at {begin}"


@dataclasses.dataclass(frozen=True, slots=True)
class PriceOrigin:
    """The rules that gave a stored price.

    :ivar explanation: the price by these rules; by the newest rules if ``matches`` is False
    :ivar matches: the rules give exactly the stored price
    :ivar change: the change after these rules; None: they are the newest
    :ivar newest: the price by the newest rules
    """

    explanation: Explanation
    matches: bool
    change: ChangeRecord | None
    newest: Explanation


def find(storage: Storage, query: FrameQuery, calendar: Calendar) -> FrameRow:
    """Return the only frame that matches.

    If no period with frames starts at ``begin``, look in the period that contains it.

    :raises ratekit.errors.NotFound: there is none
    :raises ratekit.errors.OperatorError: there are several
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = _read_frames(storage.reports, query)
    if not rows:
        begin = quote.period_of(calendar, query.begin).begin
        query = dataclasses.replace(query, begin=begin)
        rows = _read_frames(storage.reports, query)
    matches = [row for row in rows if _matches(row, query)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise errors.OperatorError(*_alternatives(matches, query))
    if rows:
        raise errors.NotFound(
            f"no frame of {query} has {_mismatch(rows, query)}; frames in this period: "
            f"{len(rows):,}, see ratekit frame list"
        )
    if (reason := storage.purge.mark().explain_absence(query.begin)) is not None:
        raise errors.NotFound(f"no frame of {query}: {reason}")
    raise errors.NotFound(
        f"no frame of {query}; see ratekit frame list, and ratekit scope show for the reason"
    )


def _read_frames(reports: Reports, query: FrameQuery) -> Sequence[FrameRow]:
    begin, end = query.begin, query.begin + _INSTANT
    selection = Selection(begin, end, scopes=frozenset({query.scope}), metrics=(query.metric,))
    return list(reports.frames(selection))


class PastRules:
    """The current and previous price rules, read once for any number of frames.

    :param modules: highest priority first
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def __init__(self, store: RuleStore, modules: Sequence[RatingModule]) -> None:
        self._store = store
        self._modules = modules
        self._newest = PriceList(modules, store.read())
        self._earlier: list[_EarlierRules] = []
        self._unread: Iterator[_EarlierRules] | None = None

    def origin(self, row: FrameRow) -> PriceOrigin:
        """Return the rules that gave a frame its price.

        Nearly always the newest rules give it, because a change does not affect rated periods
        unless it is retroactive. Otherwise changes are undone one by one, newest first.

        :raises ratekit.errors.TryLater: the storage did not answer
        """
        series = stored_usage.build_series([row])
        newest = self._newest.explain(series)
        for price_list, change in self.price_lists(row.begin):
            if price_list.prices(series)[0] == row.price:
                explanation = newest if change is None else price_list.explain(series)
                return PriceOrigin(explanation, True, change, newest)
        return PriceOrigin(newest, False, None, newest)

    def price_lists(
        self, begin: datetime.datetime
    ) -> Iterator[tuple[PriceList, ChangeRecord | None]]:
        """Yield the rules that may have priced a period, newest first, and the change after them.

        :param begin: start of the period, UTC
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        yield self._newest, None
        for earlier in self._earlier_rules():
            if earlier.change.made_at < begin:
                return  # the change precedes the period, so no older rules rated it
            if earlier.change.since is None or earlier.change.since <= begin:
                yield earlier.price_list(self._modules), earlier.change

    def _earlier_rules(self) -> Iterator[_EarlierRules]:
        yield from self._earlier
        if self._unread is None:
            self._unread = self._undo_changes()
        for earlier in self._unread:
            self._earlier.append(earlier)
            yield earlier

    def _undo_changes(self) -> Iterator[_EarlierRules]:
        records = self._store.records()
        changes = {record.version: record for record in records}
        for book in earlier_books(self._newest.book, records):
            yield _EarlierRules(book, changes[book.version + 1])


class _EarlierRules:
    """Rules before a change; compiled when they are first needed.

    :ivar change: the change after them
    """

    def __init__(self, book: RuleBook, change: ChangeRecord) -> None:
        self.change = change
        self._book = book
        self._price_list: PriceList | None = None

    def price_list(self, modules: Sequence[RatingModule]) -> PriceList:
        """Return the prices by these rules."""
        if self._price_list is None:
            self._price_list = PriceList(modules, self._book)
        return self._price_list


def metric_of(row: FrameRow, metrics: Sequence[Metric]) -> Metric:
    """Return the metric of a frame.

    :raises ratekit.errors.OperatorError: it no longer exists
    """
    for metric in metrics:
        if metric.public_name == row.metric:
            return metric
    raise errors.OperatorError(f"metrics.yml no longer has a metric called {row.metric!r}")


def last_change(swaps: Sequence[Swap]) -> Swap | None:
    """Return the last swap that changed what a period costs.

    :param swaps: of the period, oldest first
    """
    changes = [swap for swap in swaps if swap.record.outcome is PeriodOutcome.SWAPPED]
    return changes[-1] if changes else None


def last_collection(swaps: Sequence[Swap]) -> Swap | None:
    """Return the last swap that took its quantities from the metering back end.

    :param swaps: of the period, oldest first
    """
    collections = [swap for swap in swaps if swap.task.order.kind is TaskKind.COLLECT]
    return collections[-1] if collections else None


def reduction(
    row: FrameRow,
    metric: Metric,
    collector: Collector,
    window: Window,
    records_until: datetime.datetime | None = None,
) -> list[TraceStep]:
    """Return the calculation of a frame's quantity from what the back end has now.

    :param window: the frame's period
    :param records_until: see :meth:`ratekit.interfaces.Collector.collect`
    :returns: steps whose quantities add up to the frame's; empty: the back end has no data
    :raises ratekit.errors.TryLater: the back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer, or the collector cannot explain
    """
    steps = metric_admin.sample(metric, collector, window, [row.scope], records_until)
    return [step for step in steps if step.groupby == row.groupby and step.metadata == row.metadata]


def quantity(steps: Sequence[TraceStep]) -> Decimal:
    """Return the sum of the quantities of steps."""
    total = exact.ZERO
    for step in steps:
        total = exact.EXACT.add(total, step.trace.quantity)
    return total


def _labels(row: FrameRow) -> Labels:
    return {**row.metadata, **row.groupby}


def _label_text(name: str, value: str | None) -> str:
    """Write a label as the option that selects it has it."""
    return f"{name} (null)" if value is None else f"{name}={value}"


def _matches(row: FrameRow, query: FrameQuery) -> bool:
    labels = _labels(row)
    return (query.resource is None or query.resource in row.groupby.values()) and all(
        labels.get(name, "") == value for name, value in query.labels.items()
    )


def _alternatives(rows: Sequence[FrameRow], query: FrameQuery) -> Iterator[str]:
    """Yield a line for each frame with the labels in which the frames differ."""
    yield f"{count_text(len(rows), 'frame')} of {query}; choose one by its labels:"
    names = dict.fromkeys(name for row in rows for name in _labels(row))
    differing = [name for name in names if len({_labels(row).get(name, "") for row in rows}) > 1]
    for row in rows[:_FRAME_LIMIT]:
        labels = _labels(row)
        yield "  " + ", ".join(_label_text(name, labels.get(name, "")) for name in differing)
    if len(rows) > _FRAME_LIMIT:
        yield f"  and {len(rows) - _FRAME_LIMIT:,} more"


def _mismatch(rows: Sequence[FrameRow], query: FrameQuery) -> str:
    """Return the first condition of a query that no frame meets, as an object of "has"."""
    names = {name for row in rows for name in _labels(row)}
    for name, value in query.labels.items():
        if value != "" and name not in names:
            return f"a label {name!r}{errors.suggestion(name, names)}"
        values = {_labels(row).get(name, "") for row in rows}
        if value not in values:
            texts = [text for text in values if text is not None]
            hint = "" if value is None else errors.suggestion(value, texts)
            return f"{_label_text(name, value)}{hint}"
    resources = {value for row in rows for value in row.groupby.values() if value}
    if query.resource is not None and query.resource not in resources:
        hint = errors.suggestion(query.resource, resources)
        return f"the value {query.resource!r} in a groupby label{hint}"
    return "all of these labels"
