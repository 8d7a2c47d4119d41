"""Calculate what rated usage would have cost by other rules."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.rules.succession import Horizon
from ratekit.interfaces import Reports
from ratekit.pricing import rule_change, stored_usage
from ratekit.pricing.price_list import PriceList


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """The charges for a scope's usage of a metric by the stored prices and by other rules.

    :ivar scope: ID of the scope
    :ivar metric: public name of the metric
    :ivar frames: number of frames
    :ivar stored: sum of their stored prices
    :ivar new: sum of their prices by the other rules
    """

    scope: str
    metric: str
    frames: int
    stored: Decimal
    new: Decimal

    @property
    def amount(self) -> Decimal:
        """How much more it would have cost, exactly; negative: less."""
        return EXACT.subtract(self.new, self.stored)


def build_book(book: RuleBook, desired: Collection[Rule], since: datetime.datetime) -> RuleBook:
    """Return ``book`` after a retroactive change to ``desired`` at ``since``.

    :raises ratekit.errors.OperatorError: ``desired`` cannot come into force
    """
    change = rule_change.plan(book, desired, Horizon(since))
    return rule_change.apply(book, change)


def price_differences(
    reports: Reports, price_list: PriceList, since: datetime.datetime
) -> Sequence[Difference]:
    """Return the differences for all periods that start at ``since`` or later; write nothing.

    Sorted by scope and metric, including differences of zero. Reads all frames, a chunk at a
    time.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    differences: dict[tuple[str, str], Difference] = {}
    for rows, rated in stored_usage.price_stored_usage(
        reports.frames(Selection(begin=since, scopes=ALL_SCOPES)), price_list
    ):
        key = (rated.series.scope, rated.series.metric)
        difference = differences.get(key) or Difference(*key, 0, ZERO, ZERO)
        differences[key] = dataclasses.replace(
            difference,
            frames=difference.frames + len(rows),
            stored=_sum(difference.stored, (row.price for row in rows)),
            new=_sum(difference.new, rated.prices),
        )
    return [differences[key] for key in sorted(differences)]


def _sum(begin: Decimal, prices: Iterable[Decimal]) -> Decimal:
    return functools.reduce(EXACT.add, prices, begin)
