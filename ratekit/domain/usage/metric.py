"""A metric: one entry of metrics.yml."""

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
#: (series, quantity, price) of a rated point -> whether it is not stored
Skip = Callable[[Series, Decimal, Decimal], bool]

__all__ = ["WHOLE", "Metric", "Mutate", "Skip"]


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric to rate.

    :ivar name: name in the metering back end
    :ivar public_name: ``alt_name``, else the name; used by price rules and frames
    :ivar unit: unit of the quantity, for display
    :ivar factor: multiplies the collected value
    :ivar offset: added after the factor
    :ivar groupby: labels that distinguish usages, without those that the collector adds
    :ivar metadata: further labels
    :ivar mutate: last step of the conversion
    :ivar extra_args: the collector's own settings, an instance of its ``extra_args`` class
    :ivar description: for display
    :ivar mutate_map: for ``Mutate.MAP``: value -> result; all other values become 0
    :ivar prorate: a period costs the share of its quantity for which the resource existed
    :ivar skip_zero: a quantity of zero is not stored
    :ivar skip: decides which other rated points are not stored
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
    #: Factor and offset as decimals, where these and their product with a value are exact.
    _line: tuple[Decimal, Decimal] | None = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        factor = exact.terminating_decimal(self.factor)
        offset = exact.terminating_decimal(self.offset)
        is_line = self.mutate is Mutate.NONE and factor is not None and offset is not None
        object.__setattr__(self, "_line", (factor, offset) if is_line else None)

    def convert(self, total: Decimal | Fraction, parts: int = 1) -> tuple[int, int]:
        """Return the exact quantity for a collected value, as a ratio; the second is positive.

        The value is ``total / parts``; factor, offset and mutate are applied to it. Plain
        integers, because this runs once a frame.
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
        mutation = self._map_value if mutate is _MAP else MUTATIONS[mutate]
        return mutation(numerator, denominator)

    def quantity(self, total: Decimal | Fraction, parts: int = 1) -> Decimal:
        """Return the quantity to store for a collected value that is not shared.

        The value is ``total / parts``; the result of :meth:`convert` is rounded half-even to 18
        places (second rounding point of doc/arithmetic.rst).
        """
        if self._line is not None and type(total) is Decimal:
            try:
                return exact.round_line(total, *self._line, parts)
            except ArithmeticError:
                # More digits than the context has; the ratio says what becomes of it.
                pass
        return exact.round_ratio(*self.convert(total, parts), exact.QUANTITY_PLACES)

    def _map_value(self, numerator: int, denominator: int) -> tuple[int, int]:
        return self.mutate_map.get(Fraction(numerator, denominator), _NOTHING).as_integer_ratio()
