"""What an entry of metrics.yml means."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from ratekit.domain import exact


class Mutate(enum.Enum):
    """What is done to a quantity after unit conversion; names are CloudKitty's."""

    NONE = "NONE"
    NUMBOOL = "NUMBOOL"
    NOTNUMBOOL = "NOTNUMBOOL"
    FLOOR = "FLOOR"
    CEIL = "CEIL"


#: How each mutation changes a ratio of two integers, the second one positive.
_MUTATIONS: Mapping[Mutate, Callable[[int, int], tuple[int, int]]] = {
    Mutate.NONE: lambda numerator, denominator: (numerator, denominator),
    Mutate.NUMBOOL: lambda numerator, _denominator: (int(numerator != 0), 1),
    Mutate.NOTNUMBOOL: lambda numerator, _denominator: (int(numerator == 0), 1),
    Mutate.FLOOR: lambda numerator, denominator: (numerator // denominator, 1),
    Mutate.CEIL: lambda numerator, denominator: (-(-numerator // denominator), 1),
}
WHOLE = Fraction(1)


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

    def quantity(self, total: Decimal, parts: int = 1, share: Fraction = WHOLE) -> Decimal:
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
        numerator, denominator = _MUTATIONS[self.mutate](numerator, denominator)
        return exact.round_ratio(
            numerator * share.numerator, denominator * share.denominator, exact.QUANTITY_PLACES
        )
