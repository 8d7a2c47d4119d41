"""The value axis: round ticks, a unit that suits their size, and their texts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.text import number_text

#: What a tick's first digit may be.
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
#: About so many ticks.
_TICKS = 4
#: Largest values from here on, or below there, are written in thousands or thousandths.
_LARGE, _SMALL = Decimal(1_000_000), Decimal("0.01")


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """A range of values with round ends.

    :ivar ticks: ascending, the ends of the range included; zero is one of them
    :ivar factor: a power of 1,000 in which ticks are written
    """

    ticks: Sequence[Decimal]
    factor: Decimal

    def share(self, value: Decimal) -> float:
        """Return where a value is: 0 at the lowest tick, 1 at the highest."""
        low, high = self.ticks[0], self.ticks[-1]
        return float(EXACT.subtract(value, low)) / float(EXACT.subtract(high, low))

    def tick_texts(self) -> list[str]:
        """Write the ticks, in units of :attr:`factor`."""
        exponent = -self.factor.adjusted()
        return [grouped(tick.scaleb(exponent, EXACT)) for tick in self.ticks]

    def unit_text(self, unit: str) -> str:
        """Write what the ticks count: ``in 1,000,000 EUR``; empty: nothing needs to be said."""
        factor = "" if self.factor == 1 else grouped(self.factor)
        words = " ".join(word for word in (factor, unit) if word)
        return f"in {words}" if words else ""


def grouped(number: Decimal) -> str:
    """Write a number with all its digits, and commas between thousands."""
    whole, point, places = number_text(number).partition(".")
    return (
        f"{Decimal(whole):,}{point}{places}" if whole.lstrip("-") != "0" else whole + point + places
    )


def scale_of(values: Sequence[Decimal]) -> Scale:
    """Return a scale that includes zero and all values."""
    low, high = min([ZERO, *values]), max([ZERO, *values])
    span = EXACT.subtract(high, low) or Decimal(1)
    step = _round_step(span)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    ticks = [EXACT.multiply(step, number) for number in range(first, last + 1)]
    return Scale(ticks, _factor(max(-ticks[0], ticks[-1])))


def _round_step(span: Decimal) -> Decimal:
    """Return the smallest round number that divides a span into few parts."""
    rough = span / _TICKS
    power = Decimal(1).scaleb(rough.adjusted())
    return next(digit * power for digit in _ROUND if digit * power >= rough)


def _factor(largest: Decimal) -> Decimal:
    if _SMALL <= largest < _LARGE:
        return Decimal(1)
    return Decimal(1).scaleb(largest.adjusted() // 3 * 3)
