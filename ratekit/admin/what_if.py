"""What usage that has been rated would have cost by other rules."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.rules.succession import Horizon
from ratekit.interfaces import Reports
from ratekit.pricing import rule_change, stored_usage
from ratekit.pricing.price_list import PriceList


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """What a scope's usage of a metric was charged, and would have been.

    :ivar scope: its id
    :ivar metric: public name
    :ivar frames: number of frames
    :ivar stored: sum of their prices as they are stored
    :ivar new: sum of their prices by the other rules
    """

    scope: str
    metric: str
    frames: int
    stored: Decimal
    new: Decimal

    @property
    def difference(self) -> Decimal:
        """What it would have cost more, exactly; negative: less."""
        return EXACT.subtract(self.new, self.stored)


def supposed(book: RuleBook, desired: Collection[Rule], since: datetime.datetime) -> RuleBook:
    """Return the book that a retroactive change to ``desired`` at ``since`` would leave.

    :raises ratekit.errors.OperatorError: ``desired`` cannot be put in force
    """
    change = rule_change.plan(book, desired, Horizon(since))
    return rule_change.applied(book, change)


def differences(
    reports: Reports, price_list: PriceList, since: datetime.datetime
) -> Sequence[Difference]:
    """Return the differences for all periods that begin at ``since`` or later; writes nothing.

    In the order of scopes and metrics, with those that are zero. All frames are read, a
    chunk at a time.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    found: dict[tuple[str, str], Difference] = {}
    for rows, rated in stored_usage.repriced(reports.frames(Selection(begin=since)), price_list):
        key = (rated.series.scope, rated.series.metric)
        own = found.get(key) or Difference(*key, 0, ZERO, ZERO)
        found[key] = dataclasses.replace(
            own,
            frames=own.frames + len(rows),
            stored=_sum(own.stored, (row.price for row in rows)),
            new=_sum(own.new, rated.prices),
        )
    return [found[key] for key in sorted(found)]


def _sum(begin: Decimal, prices: Iterable[Decimal]) -> Decimal:
    return functools.reduce(EXACT.add, prices, begin)
