"""Reads a statement: all sums of one snapshot."""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.admin import price_sheet, quote, rating_state
from ratekit.admin.bill.bill import Bill, bill_starts, build_bill, rated_until, read_resources
from ratekit.admin.bill.statement import (
    MAX_PARTS,
    MAX_PROJECTS,
    RESOURCES,
    Part,
    Prices,
    ProjectCharge,
    Statement,
)
from ratekit.admin.bill.sums import Sums
from ratekit.admin.price_sheet import PriceEntry
from ratekit.admin.rating_state import RatingState
from ratekit.admin.resource_costs import ResourceCost
from ratekit.admin.scope_filter import is_rated
from ratekit.domain.exact import ZERO
from ratekit.domain.purge import PurgeMark
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import AllScopes, Selection, StateRow, SummaryRow
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, Storage

_TICK = datetime.timedelta(microseconds=1)
_DAY = datetime.timedelta(days=1)
#: What time is split into, and the longest time range for it.
_BUCKETS = (("hour", 3 * _DAY), ("day", 62 * _DAY), ("month", 1500 * _DAY))


@dataclasses.dataclass(frozen=True, slots=True)
class _Totals:
    """The sums of all projects.

    :ivar prices: by id, for each project with frames
    :ivar sums: of the dearest projects
    """

    whole: Sums
    prices: Mapping[str, Decimal]
    sums: Mapping[str, Sums]


@dataclasses.dataclass(frozen=True, slots=True)
class _Usage:
    """What one snapshot of the storage tells.

    :ivar rows: all projects, by id
    :ivar ids: the projects of the statement, the dearest first
    :ivar resources: the dearest of each project that has a part, in the order of the parts; None:
        there are too many to find them
    :ivar states: of the same projects
    """

    rows: Mapping[str, StateRow]
    totals: _Totals
    ids: Sequence[str]
    resources: Mapping[str, Sequence[ResourceCost] | None]
    states: Mapping[str, RatingState]

    def name(self, id_: str) -> str:
        """Return what a project is called; empty: not known."""
        row = self.rows.get(id_)
        return "" if row is None else row.name


def fitting_bucket(begin: datetime.datetime, end: datetime.datetime) -> str:
    """Return what the time range of a bill is split into, so that a chart has up to 70 bars."""
    return next((name for name, limit in _BUCKETS if end - begin <= limit), "year")


def read_statement(
    storage: Storage, calendar: Calendar, selection: Selection, zone: datetime.tzinfo
) -> Statement:
    """Return the bill of the projects that a selection names, or of all that have usage.

    All sums are of one snapshot, so that they add up.

    :param calendar: the grid of periods
    :param selection: with begin and end
    :param zone: of days
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    return _Reader(storage, calendar, selection, zone).read()


class _Reader:
    """Reads a statement."""

    def __init__(
        self, storage: Storage, calendar: Calendar, selection: Selection, zone: datetime.tzinfo
    ) -> None:
        assert selection.begin is not None, "a bill starts somewhere"
        assert selection.end is not None, "a bill ends somewhere"
        self._storage = storage
        self._calendar = calendar
        self._selection = selection
        self._zone = zone
        self._begin, self._end = selection.begin, selection.end
        self._bucket = fitting_bucket(self._begin, self._end)
        self._starts = bill_starts(selection, self._bucket, zone)

    def read(self) -> Statement:
        """Return the statement."""
        with self._storage.reports.snapshot() as reports:
            usage = self._read_usage(reports)
        # After the numbers: what was purged meanwhile may be missing from them.
        purged = self._storage.purge.mark()
        corrections = self._count_corrections()
        book = self._storage.rules.read()
        is_single = len(usage.ids) == 1
        parts = [
            self._build_part(id_, usage, corrections.get(id_, 0), book, purged, is_single)
            for id_ in usage.resources
        ]
        general: Prices = {}
        if not is_single:
            general = _prices_in_force(book, quote.NO_SCOPE, self._begin, self._end)
        return Statement(
            self._build(usage.totals.whole, (), usage.rows.values()),
            [
                ProjectCharge(id_, usage.name(id_), usage.totals.prices.get(id_, ZERO))
                for id_ in usage.ids[:MAX_PROJECTS]
            ],
            len(usage.ids),
            parts,
            sum(map(self._is_behind, usage.rows.values())),
            general,
            purged.missing_until(self._begin, from_totals=True),
        )

    def _read_usage(self, reports: Reports) -> _Usage:
        rows = {row.id: row for row in reports.scopes(self._selection.scopes)}
        totals = self._read_totals(reports)
        ids = self._list_projects(totals, rows)
        # Of projects with equal prices some have sums; one without usage needs none.
        dearest = [id_ for id_ in ids if id_ in totals.sums or id_ not in totals.prices]
        dearest = dearest[:MAX_PARTS]
        states = rating_state.read(
            reports, self._calendar, frozenset(dearest), self._begin, self._end
        )
        resources = {id_: self._read_resources(reports, id_) for id_ in dearest}
        return _Usage(rows, totals, ids, resources, states)

    def _read_totals(self, reports: Reports) -> _Totals:
        keys = ("scope", "metric", self._bucket)
        rows = reports.summary(self._selection, keys, self._zone)
        whole, prices = Sums(), {}
        dearest: list[tuple[Decimal, str, Sums]] = []
        # Rows come in the order of scopes, so that only some sums are in memory.
        for scope, members in itertools.groupby(rows, key=_scope):
            sums = Sums()
            for row in members:
                sums.add(row, self._bucket)
                whole.add(row, self._bucket)
            prices[scope] = add_up(charge.price for charge in sums.metrics())
            heapq.heappush(dearest, (prices[scope], scope, sums))
            if len(dearest) > MAX_PARTS:
                heapq.heappop(dearest)
        return _Totals(whole, prices, {scope: sums for _, scope, sums in dearest})

    def _list_projects(self, totals: _Totals, rows: Mapping[str, StateRow]) -> Sequence[str]:
        """Return the projects of the statement, the dearest first, and equal ones by name."""
        scopes = self._selection.scopes
        ids = totals.prices if isinstance(scopes, AllScopes) else scopes

        def order(id_: str) -> tuple[Decimal, str, str]:
            name = rows[id_].name if id_ in rows else ""
            return -totals.prices.get(id_, ZERO), name, id_

        return sorted(ids, key=order)

    def _read_resources(self, reports: Reports, id_: str) -> Sequence[ResourceCost] | None:
        selection = dataclasses.replace(self._selection, scopes=frozenset({id_}))
        resources = read_resources(reports, selection)
        return None if resources is None else resources[:RESOURCES]

    def _build_part(
        self,
        id_: str,
        usage: _Usage,
        corrections: int,
        book: RuleBook,
        purged: PurgeMark,
        is_single: bool,
    ) -> Part:
        rows = [usage.rows[id_]] if id_ in usage.rows else []
        sums = usage.totals.sums.get(id_, Sums())
        purged_until = purged.missing_until(self._begin, from_totals=True)
        prices = _prices_in_force(book, id_, self._begin, self._end)
        return Part(
            id_,
            usage.name(id_),
            self._build(sums, usage.resources[id_], rows),
            dataclasses.replace(usage.states[id_], purged_until=purged_until),
            corrections,
            prices if is_single else _select(prices, lambda entry: entry.special),
            purged.missing_until(self._begin, from_totals=False),
        )

    def _build(
        self, sums: Sums, resources: Sequence[ResourceCost] | None, rows: Iterable[StateRow]
    ) -> Bill:
        until = rated_until(rows)
        return build_bill(self._selection, self._bucket, self._starts, sums, resources, until)

    def _count_corrections(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for task, _ in self._storage.tasks.tasks():
            if task.order.begin < self._end and self._begin < task.order.end:
                id_ = task.order.scope.id
                counts[id_] = counts.get(id_, 0) + 1
        return counts

    def _is_behind(self, row: StateRow) -> bool:
        return is_rated(row) and row.rated_until < self._end


def _scope(row: SummaryRow) -> str:
    return str(row.group["scope"])


def _prices_in_force(
    book: RuleBook, scope: str, begin: datetime.datetime, end: datetime.datetime
) -> Prices:
    """Return the prices of rules that were in force at any time of a range, as of its end."""
    sheet = price_sheet.build(book, scope, end - _TICK)
    return _select(
        sheet,
        lambda entry: succession.start(entry.rule) < end and begin < succession.end(entry.rule),
    )


def _select(prices: Prices, accepts: Callable[[PriceEntry], bool]) -> Prices:
    """Return the prices that are accepted, without metrics that have none."""
    selected = {
        metric: [entry for entry in entries if accepts(entry)] for metric, entries in prices.items()
    }
    return {metric: entries for metric, entries in selected.items() if entries}
