"""What an entry of metrics.yml means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from ratekit.domain import exact
from ratekit.domain.series import Series
from ratekit.domain.usage.mutation import MUTATIONS, Mutate

WHOLE = Fraction(1)
_NOTHING = Fraction(0)
_MAP = Mutate.MAP
#: (series, quantity, price) of a rated point -> it is not stored
Skip = Callable[[Series, Decimal, Decimal], bool]

__all__ = ["WHOLE", "Metric", "Mutate", "Skip"]


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric to rate.

    :ivar name: name in the metering back end
    :ivar public_name: ``alt_name``, else the name; what price rules and frames call it
    :ivar unit: unit of the quantity, for people
    :ivar factor: multiplies the collected value
    :ivar offset: is added after the factor
    :ivar groupby: labels that tell usages apart, collector's additions not included
    :ivar metadata: further labels
    :ivar mutate: last step of the conversion
    :ivar extra_args: the collector's own settings, an instance of its ``extra_args`` class
    :ivar description: what it is, for people
    :ivar mutate_map: for ``Mutate.MAP``: value -> what it becomes; others become 0
    :ivar prorate: a period costs as much of its quantity as the resource existed of it
    :ivar skip_zero: a usage of nothing is not stored
    :ivar skip: says which other rated points are not stored
    """

    name: str
    public_name: str
    unit: str
    factor: Fraction
    offset: Fraction
    groupby: tuple[str, ...]
    metadata: tuple[str, ...]
    mutate: Mutate
    extra_args: object
    description: str | None = None
    mutate_map: Mapping[Fraction, Fraction] = dataclasses.field(default_factory=dict, hash=False)
    prorate: bool = False
    skip_zero: bool = False
    skip: Skip | None = None

    def quantity(
        self, total: Decimal | Fraction, parts: int = 1, share: Fraction = WHOLE
    ) -> Decimal:
        """Turn a collected value into a stored quantity.

        The value is ``total / parts``; factor, offset and mutate are applied to it exactly,
        then ``share`` of the result is rounded half-even to 18 places (design, second
        rounding point). Plain integers, since this runs once a frame.
        """
        numerator, denominator = total.as_integer_ratio()
        denominator *= parts
        factor, offset = self.factor, self.offset
        numerator *= factor.numerator
        denominator *= factor.denominator
        if offset:
            numerator = numerator * offset.denominator + offset.numerator * denominator
            denominator *= offset.denominator
        mutate = self.mutate
        mutation = self._mapped if mutate is _MAP else MUTATIONS[mutate]
        numerator, denominator = mutation(numerator, denominator)
        return exact.round_ratio(
            numerator * share.numerator, denominator * share.denominator, exact.QUANTITY_PLACES
        )

    def _mapped(self, numerator: int, denominator: int) -> tuple[int, int]:
        return self.mutate_map.get(Fraction(numerator, denominator), _NOTHING).as_integer_ratio()
