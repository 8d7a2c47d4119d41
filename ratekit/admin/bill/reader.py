"""Reads a statement: all sums of one snapshot, or read again."""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
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
from ratekit.admin.resource_costs import ResourceCost
from ratekit.admin.scope_filter import is_rated
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import AllScopes, Selection, StateRow, SummaryRow
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage

#: How often a bill is read again whose numbers changed while it was read.
_ATTEMPTS = 3
_TICK = datetime.timedelta(microseconds=1)
_DAY = datetime.timedelta(days=1)
#: What time is split into, and the longest time range for it.
_BUCKETS = (("hour", 3 * _DAY), ("day", 62 * _DAY), ("month", 1500 * _DAY))


@dataclasses.dataclass(frozen=True, slots=True)
class _Totals:
    """The sums of one snapshot.

    :ivar prices: by id, for each project with frames
    :ivar sums: of the dearest projects
    """

    whole: Sums
    prices: Mapping[str, Decimal]
    sums: Mapping[str, Sums]


class _UsageChanged(Exception):
    """Two reports of one statement were of different snapshots."""


def fitting_bucket(begin: datetime.datetime, end: datetime.datetime) -> str:
    """Return what the time range of a bill is split into, so that a chart has up to 70 bars."""
    return next((name for name, limit in _BUCKETS if end - begin <= limit), "year")


def read_statement(
    storage: Storage, calendar: Calendar, selection: Selection, zone: datetime.tzinfo
) -> Statement:
    """Return the bill of the projects that a selection names, or of all that have usage.

    All sums add up: if usage is rated or corrected meanwhile, they are read again.

    :param calendar: the grid of periods
    :param selection: with begin and end
    :param zone: of days
    :raises ratekit.errors.TryLater: the storage did not answer, or usage kept changing
    """
    for _ in range(_ATTEMPTS):
        try:
            return _Reader(storage, calendar, selection, zone).read()
        except _UsageChanged:
            continue
    raise errors.TryLater("usage was rated or corrected while the bill was read; try again")


class _Reader:
    """Reads a statement once."""

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
        # Before the sums, so that these have all usage until the times in them.
        states = storage.reports.scopes(selection.scopes)
        self._states = {row.id: row for row in states}
        self._book = storage.rules.read()

    def read(self) -> Statement:
        """Return the statement.

        :raises _UsageChanged: the sums of resources are of another snapshot
        """
        totals = self._read_totals()
        ids = self._list_projects(totals)
        is_single = len(ids) == 1
        corrections = self._count_corrections()
        # Of projects with equal prices some have sums; one without usage needs none.
        dearest = [id_ for id_ in ids if id_ in totals.sums or id_ not in totals.prices]
        parts = [
            self._read_part(id_, totals, corrections.get(id_, 0), is_single)
            for id_ in dearest[:MAX_PARTS]
        ]
        general: Prices = {}
        if not is_single:
            general = _prices_in_force(self._book, quote.NO_SCOPE, self._begin, self._end)
        return Statement(
            self._build(totals.whole, (), self._states.values()),
            [
                ProjectCharge(id_, self._name(id_), totals.prices.get(id_, ZERO))
                for id_ in ids[:MAX_PROJECTS]
            ],
            len(ids),
            parts,
            sum(map(self._is_behind, self._states.values())),
            general,
            self._storage.purge.mark().missing_until(self._begin, from_totals=True),
        )

    def _read_totals(self) -> _Totals:
        keys = ("scope", "metric", self._bucket)
        rows = self._storage.reports.summary(self._selection, keys, self._zone)
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

    def _list_projects(self, totals: _Totals) -> Sequence[str]:
        """Return the projects of the statement, the dearest first, and equal ones by name."""
        scopes = self._selection.scopes
        ids = totals.prices if isinstance(scopes, AllScopes) else scopes
        return sorted(ids, key=lambda id_: (-totals.prices.get(id_, ZERO), self._name(id_), id_))

    def _read_part(self, id_: str, totals: _Totals, corrections: int, is_single: bool) -> Part:
        selection = dataclasses.replace(self._selection, scopes=frozenset({id_}))
        states = [row for row in self._states.values() if row.id == id_]
        sums = totals.sums.get(id_, Sums())
        resources = read_resources(self._storage.reports, selection)
        bill = self._build(sums, None if resources is None else resources[:RESOURCES], states)
        purged_until = self._storage.purge.mark().missing_until(self._begin, from_totals=False)
        if resources is not None and purged_until is None:
            price = add_up(resource.price for resource in resources)
            if (sum(resource.points for resource in resources), price) != (bill.points, bill.total):
                raise _UsageChanged
        prices = _prices_in_force(self._book, id_, self._begin, self._end)
        return Part(
            id_,
            self._name(id_),
            bill,
            rating_state.read(self._storage, self._calendar, id_, self._begin, self._end),
            corrections,
            prices if is_single else _select(prices, lambda entry: entry.special),
            purged_until,
        )

    def _build(
        self, sums: Sums, resources: Sequence[ResourceCost] | None, states: Iterable[StateRow]
    ) -> Bill:
        until = rated_until(states)
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

    def _name(self, id_: str) -> str:
        row = self._states.get(id_)
        return "" if row is None else row.name


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
