"""Costs split by time, by metric or by a label, and each part by metric."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import BUCKETS, list_buckets
from ratekit.domain.reporting.reports import EVERYTHING, Selection, SummaryRow
from ratekit.interfaces import Reports

#: The key of a line: the start of a time, UTC, a metric, or the value of a label.
Key = str | datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class CostPart:
    """What one metric costs in a line.

    :ivar quantity: exact sum; None: it has several units
    :ivar unit: None: it has several
    :ivar price: exact sum
    """

    quantity: Decimal | None
    unit: str | None
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class CostLine:
    """A part of the costs.

    :ivar parts: by metric
    :ivar price: their exact sum
    """

    key: Key
    parts: Mapping[str, CostPart]
    price: Decimal

    @property
    def only_part(self) -> CostPart:
        """What its metric costs, if it has one alone; otherwise nothing but the price."""
        parts = list(self.parts.values())
        return parts[0] if len(parts) == 1 else CostPart(None, None, self.price)


@dataclasses.dataclass(frozen=True, slots=True)
class CostTable:
    """Costs split into lines and metrics.

    :ivar lines: by time: each one of the range, in order, also without costs; otherwise the
        dearest first
    :ivar metrics: all that have usage, the dearest first, with their exact sums
    :ivar price: exact sum
    :ivar points: number of frames
    :ivar rated_until: of the only scope that is selected, UTC; None: there are several, or none
    """

    lines: Sequence[CostLine]
    metrics: Mapping[str, Decimal]
    price: Decimal
    points: int
    rated_until: datetime.datetime | None = None


def read(
    reports: Reports, selection: Selection, by: str, zone: datetime.tzinfo, max_groups: int
) -> CostTable:
    """Return the costs of a selection.

    :param selection: with begin and end
    :param by: ``hour``, ``day``, ``week``, ``month``, ``year``, ``metric`` or a label
    :param zone: of times
    :param max_groups: most parts that may be in memory
    :raises ratekit.errors.TooManyGroups: there are more
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    groupby = ("metric",) if by == "metric" else (by, "metric")
    page = reports.summary_page(selection, groupby, zone, EVERYTHING, max_groups)
    parts: dict[Key, dict[str, CostPart]] = {}
    metrics: dict[str, Decimal] = {}
    if by in BUCKETS:
        assert selection.begin is not None, "times start somewhere"
        assert selection.end is not None, "times end somewhere"
        starts = list_buckets(selection.begin, selection.end, by, zone, max_groups)
        parts = {start: {} for start in starts}
    for row in page.rows:
        metric = str(row.group["metric"])
        parts.setdefault(_key(row, by), {})[metric] = CostPart(row.quantity, row.unit, row.price)
        metrics[metric] = EXACT.add(metrics.get(metric, ZERO), row.price)
    lines = [
        CostLine(key, line, add_up(part.price for part in line.values()))
        for key, line in parts.items()
    ]
    return CostTable(
        lines if by in BUCKETS else _dearest_first(lines),
        dict(sorted(metrics.items(), key=lambda entry: (-entry[1], entry[0]))),
        add_up(metrics.values()),
        sum(row.points for row in page.rows),
        page.rated_until,
    )


def _key(row: SummaryRow, by: str) -> Key:
    value = row.group[by]
    return value.astimezone(datetime.UTC) if isinstance(value, datetime.datetime) else value


def _dearest_first(lines: Iterable[CostLine]) -> Sequence[CostLine]:
    return sorted(lines, key=lambda line: (-line.price, line.key is None, str(line.key)))
