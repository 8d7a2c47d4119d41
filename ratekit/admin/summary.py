"""Compare two time ranges, and spread a bill over columns of time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit import errors
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import list_buckets
from ratekit.domain.reporting.reports import Selection, SummaryRow
from ratekit.interfaces import Reports
from ratekit.text import count_text

Group = Mapping[str, str | datetime.datetime | None]

#: The days of a month: a bill with more columns is for programs, which want rows.
MAX_COLUMNS = 31


@dataclasses.dataclass(frozen=True, slots=True)
class PriceChange:
    """The charges of a group in two time ranges.

    :ivar group: value of each groupby key
    :ivar old: exact price in the first; 0 without frames
    :ivar new: exact price in the second
    :ivar old_quantity: sum over frames; None: no frames, or they mix metrics or units
    :ivar new_quantity: likewise
    :ivar unit: of the quantities; None: there is none, or they have different ones
    """

    group: Group
    old: Decimal
    new: Decimal
    old_quantity: Decimal | None
    new_quantity: Decimal | None
    unit: str | None

    @property
    def difference(self) -> Decimal:
        """How much more the second cost, exactly; negative: less."""
        return EXACT.subtract(self.new, self.old)


def ratio(old: Decimal, new: Decimal) -> Fraction | None:
    """Return how many times as much ``new`` is; None: ``old`` is 0."""
    return Fraction(new) / Fraction(old) if old else None


def compare(
    reports: Reports,
    old: Selection,
    new: Selection,
    groupby: Sequence[str],
    zone: datetime.tzinfo,
) -> Sequence[PriceChange]:
    """Return the change of each group that has frames in one of two selections.

    The largest difference, of either sign, comes first; equal ones are in the order of the groups.

    :param groupby: no times
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    sides = [
        {tuple(row.group.values()): row for row in reports.summary(selection, groupby, zone)}
        for selection in (old, new)
    ]
    groups = {**sides[0], **sides[1]}
    changes = [
        _change(*(side.get(group) for side in sides)) for group in sorted(groups, key=_order)
    ]
    return sorted(changes, key=lambda change: -change.difference.copy_abs())


def _order(group: tuple[object, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, str(value)) for value in group)


def _change(old: SummaryRow | None, new: SummaryRow | None) -> PriceChange:
    rows = [row for row in (old, new) if row is not None]
    units = {row.unit for row in rows}
    unit = units.pop() if len(units) == 1 else None
    return PriceChange(
        rows[0].group,
        old.price if old else ZERO,
        new.price if new else ZERO,
        old.quantity if old and unit else None,
        new.quantity if new and unit else None,
        unit,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class PivotRow:
    """The charges of a group by bucket of time.

    :ivar prices: exact price by start, UTC; a bucket without frames is absent
    """

    group: Group
    prices: Mapping[datetime.datetime, Decimal]

    @property
    def total(self) -> Decimal:
        """Their exact sum."""
        return add_up(self.prices.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Pivot:
    """A bill with a column for each bucket of time.

    :ivar starts: of the columns, UTC
    :ivar rows: in the order of the groups
    :ivar points: number of frames
    """

    starts: Sequence[datetime.datetime]
    rows: Sequence[PivotRow]
    points: int


def pivot(
    reports: Reports,
    selection: Selection,
    groupby: Sequence[str],
    bucket: str,
    zone: datetime.tzinfo,
    max_columns: int = MAX_COLUMNS,
) -> Pivot:
    """Return the charges of each group by hour, day, week, month or year.

    :param selection: with begin and end
    :param groupby: no times
    :param bucket: one of :data:`ratekit.domain.reporting.buckets.BUCKETS`
    :raises ratekit.errors.OperatorError: there are more than ``max_columns``
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    assert selection.begin is not None, "columns start somewhere"
    assert selection.end is not None, "columns end somewhere"
    starts = list_buckets(selection.begin, selection.end, bucket, zone, max_columns)
    if len(starts) > max_columns:
        raise errors.OperatorError(
            f"the time range has more than {count_text(max_columns, bucket)}, which are columns; "
            "choose a shorter one"
        )
    prices: dict[tuple[str | datetime.datetime | None, ...], dict[datetime.datetime, Decimal]] = {}
    points = 0
    for row in reports.summary(selection, (*groupby, bucket), zone):
        *group, start = row.group.values()
        assert isinstance(start, datetime.datetime), "the last key is a time"
        prices.setdefault(tuple(group), {})[start.astimezone(datetime.UTC)] = row.price
        points += row.points
    rows = [
        PivotRow(dict(zip(groupby, group, strict=True)), columns)
        for group, columns in prices.items()
    ]
    return Pivot(starts, rows, points)
