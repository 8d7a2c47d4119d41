"""What other rules would have cost: differences by project, the largest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
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


def sort_by_size(
    differences: Iterable[Difference], names: Mapping[str, str]
) -> Sequence[Difference]:
    """Return differences of either sign, the largest first; equal ones by scope and metric.

    :param names: of scopes, by id
    """

    def order(entry: Difference) -> tuple[Decimal, str, str, str]:
        name = names.get(entry.scope, entry.scope)
        return -entry.amount.copy_abs(), name, entry.scope, entry.metric

    return sorted(differences, key=order)


def sum_by_scope(
    differences: Iterable[Difference], names: Mapping[str, str]
) -> Sequence[CostChange]:
    """Return the change of each scope, the largest of either sign first; equal ones by name.

    :param names: of scopes, by id
    """
    return _sum(((entry.scope, entry) for entry in differences), names)


def sum_by_metric(differences: Iterable[Difference]) -> Sequence[CostChange]:
    """Return the change of each metric, the largest of either sign first; equal ones by name."""
    return _sum(((entry.metric, entry) for entry in differences), {})


def sum_all(differences: Iterable[Difference]) -> CostChange:
    """Return the change of all together."""
    total = CostChange("")
    for difference in differences:
        total = total.plus(difference)
    return total


def _sum(
    entries: Iterable[tuple[str, Difference]], names: Mapping[str, str]
) -> Sequence[CostChange]:
    changes: dict[str, CostChange] = {}
    for name, difference in entries:
        changes[name] = changes.get(name, CostChange(name)).plus(difference)
    return sorted(
        changes.values(),
        key=lambda change: (
            -change.amount.copy_abs(),
            names.get(change.name, change.name),
            change.name,
        ),
    )
