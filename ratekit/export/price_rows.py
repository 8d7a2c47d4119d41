"""Price rules in words that a tenant understands."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence

from ratekit.admin.price_sheet import PriceEntry
from ratekit.domain import period
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import CostType, Rule, ThresholdRule
from ratekit.html.charts.scale import grouped
from ratekit.text import duration_text

_HOUR = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class PriceRow:
    """A price.

    :ivar condition: for which usage it is
    :ivar cost: per unit and period, or a factor
    :ivar start: None: since ever
    :ivar end: exclusive; None: no end
    """

    metric: str
    condition: str
    cost: str
    start: datetime.datetime | None
    end: datetime.datetime | None


def price_rows(
    prices: Mapping[str, Sequence[PriceEntry]],
    units: Mapping[str, str | None],
    currency: str,
    step: datetime.timedelta,
) -> Iterator[PriceRow]:
    """Yield the prices of a list.

    :param prices: by metric
    :param units: of quantities, by metric; absent: not known
    :param currency: empty: none
    :param step: length of a period
    """
    for metric, entries in prices.items():
        for entry in entries:
            start, end = succession.start(entry.rule), succession.end(entry.rule)
            yield PriceRow(
                metric,
                _condition(entry, units.get(metric) or ""),
                _cost(entry.rule, units.get(metric) or "unit", currency, step),
                None if start <= period.EPOCH else start,
                None if end == period.FOREVER else end,
            )


def _condition(entry: PriceEntry, unit: str) -> str:
    rule, target = entry.rule, entry.rule.target
    if isinstance(rule, ThresholdRule):
        ceiling = "" if entry.ceiling is None else f", below {grouped(entry.ceiling)}"
        amount = f"from {grouped(rule.level)}{ceiling}"
        words = f"{target.label} {amount}" if target.label else f"{amount} {unit}".rstrip()
    elif target.label is None:
        words = "all usage"
    else:
        words = f"{target.label} {'(none)' if rule.value is None else rule.value}"
    if rule.terms.group is not None:
        words += f" (group {rule.terms.group})"
    if entry.special:
        words += "; only this project"
    if entry.replaced:
        words += "; the project has its own price"
    return words


def _cost(rule: Rule, unit: str, currency: str, step: datetime.timedelta) -> str:
    amount = grouped(rule.terms.cost)
    if rule.terms.type is CostType.RATE:
        return f"\u00d7 {amount}"
    length = "hour" if step == _HOUR else duration_text(step)
    money = f"{amount} {currency}".rstrip()
    return f"{money} per {unit} and {length}"
