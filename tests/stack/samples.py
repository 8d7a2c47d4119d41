"""The numbers that the plan's metrics take.

Chosen so that checks can be exact: every value and every mean over a full hour
is a short decimal and a binary fraction, and hours differ from each other.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal

from tests.stack.plan import STEP, Measure

SAMPLES = 12
"""Samples in an hour."""

MIB = 1024 * 1024

Formula = Callable[[int], Decimal]
"""Takes the sample's number since the plan's begin, so a sample's value does
not depend on when its resource was born."""


def measure(
    formula: Formula,
    origin: datetime.datetime,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> tuple[Measure, ...]:
    """Sample ``formula`` every 300 s in ``[begin, end)``.

    :param origin: instant of sample number 0
    """
    return tuple(Measure(at, formula((at - origin) // STEP)) for at in _ticks(begin, end))


def constant(value: int | str | Decimal) -> Formula:
    """Always ``value``."""
    exact = Decimal(value)
    return lambda sample: exact


def stepped(before: Formula, after: Formula, turn: int) -> Formula:
    """``before`` until sample ``turn``, then ``after``."""
    return lambda sample: (before if sample < turn else after)(sample)


def cpu_time(seed: int) -> Formula:
    """CPU time since boot, in ns: a counter whose pace changes every hour.

    The pace is even, so an hour's mean, which lies 5.5 samples after its
    first value, is whole.
    """

    def formula(sample: int) -> Decimal:
        hour, within = divmod(sample, SAMPLES)
        # A pace repeats every 5 hours, so what earlier hours used is a short sum.
        rounds, rest = divmod(hour, 5)
        used = rounds * sum(_pace(seed, n) for n in range(5))
        used += sum(_pace(seed, n) for n in range(rest))
        return Decimal(10**9 + SAMPLES * used + within * _pace(seed, hour))

    return formula


def traffic(seed: int) -> Formula:
    """Bytes a second: another level every hour, rising and falling within it.

    The hour's twelve values are its level plus 0.5, 1.5, ... 11.5 in mixed
    order: the mean is the level plus 6.
    """

    def formula(sample: int) -> Decimal:
        hour, within = divmod(sample, SAMPLES)
        level = 1000 * (1 + seed % 7) + Decimal("250.25") * ((seed + hour) % 4)
        # 5 and 12 share no factor: this visits each of 0..11 once.
        return level + (5 * within) % SAMPLES + Decimal("0.5")

    return formula


def _pace(seed: int, hour: int) -> int:
    """Nanoseconds of CPU time in 300 s."""
    return 2 * 10**9 * (30 + (seed + 7 * (hour % 5)) % 60)


def _ticks(begin: datetime.datetime, end: datetime.datetime) -> Iterator[datetime.datetime]:
    while begin < end:
        yield begin
        begin += STEP
