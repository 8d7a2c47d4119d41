"""The price list of a bill."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence

from ratekit.admin import price_words
from ratekit.admin.price_sheet import PriceEntry
from ratekit.admin.price_words import PriceWords
from ratekit.domain import period
from ratekit.domain.rules import succession


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
        words = PriceWords(units.get(metric) or "", price_words.period_noun(step), currency)
        for entry in entries:
            start, end = succession.start(entry.rule), succession.end(entry.rule)
            yield PriceRow(
                metric,
                _condition(entry, words),
                words.price(entry.rule),
                None if start <= period.EPOCH else start,
                None if end == period.FOREVER else end,
            )


def _condition(entry: PriceEntry, words: PriceWords) -> str:
    text = words.condition(entry.rule, entry.ceiling)
    group = entry.rule.terms.group
    if group is not None:
        text += f" (group {group})"
    remark = price_words.remark(entry)
    return f"{text}; {remark}" if remark else text
