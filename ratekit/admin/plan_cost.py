"""What other rules would have cost: differences by project, the largest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ratekit.admin.what_if import Difference
from ratekit.domain.exact import EXACT, ZERO


@dataclasses.dataclass(frozen=True, slots=True)
class CostChange:
    """What usage cost, and would have cost.

    :ivar name: id of the scope, or a metric
    :ivar old: exact sum of the stored prices
    :ivar new: exact sum of the prices by the other rules
    """

    name: str
    old: Decimal = ZERO
    new: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        """How much more it would have cost, exactly; negative: less."""
        return EXACT.subtract(self.new, self.old)

    def plus(self, difference: Difference) -> CostChange:
        """Return the sums of both."""
        return dataclasses.replace(
            self,
            old=EXACT.add(self.old, difference.stored),
            new=EXACT.add(self.new, difference.new),
        )


def sort_by_size(differences: Iterable[Difference]) -> Sequence[Difference]:
    """Return differences of either sign, the largest first; equal ones by scope and metric."""
    return sorted(
        differences, key=lambda entry: (-entry.amount.copy_abs(), entry.scope, entry.metric)
    )


def sum_by_scope(differences: Iterable[Difference]) -> Sequence[CostChange]:
    """Return the change of each scope, the largest of either sign first."""
    return _sum((entry.scope, entry) for entry in differences)


def sum_by_metric(differences: Iterable[Difference]) -> Sequence[CostChange]:
    """Return the change of each metric, the largest of either sign first."""
    return _sum((entry.metric, entry) for entry in differences)


def sum_all(differences: Iterable[Difference]) -> CostChange:
    """Return the change of all together."""
    total = CostChange("")
    for difference in differences:
        total = total.plus(difference)
    return total


def _sum(entries: Iterable[tuple[str, Difference]]) -> Sequence[CostChange]:
    changes: dict[str, CostChange] = {}
    for name, difference in entries:
        changes[name] = changes.get(name, CostChange(name)).plus(difference)
    return sorted(changes.values(), key=lambda change: (-change.amount.copy_abs(), change.name))
