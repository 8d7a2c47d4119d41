"""The values of the plan's metrics.

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
"""Takes the sample's number since the plan's start, so a sample's value does
not depend on when its resource was created."""


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
    """Return the formula that is always ``value``."""
    exact = Decimal(value)
    return lambda sample: exact


def switch(before: Formula, after: Formula, first: int) -> Formula:
    """Return the formula that is ``before`` until the sample ``first``, then ``after``."""
    return lambda sample: (before if sample < first else after)(sample)


def cpu_time(seed: int) -> Formula:
    """Return CPU time since boot, in ns: a counter whose pace changes every hour.

    The pace is an even number. An hour's mean, which is its first value plus 5.5 times the
    pace, is therefore an integer.
    """

    def formula(sample: int) -> Decimal:
        hour, within = divmod(sample, SAMPLES)
        # A pace repeats every 5 hours, so what earlier hours used is a short sum.
        rounds, remainder = divmod(hour, 5)
        used = rounds * sum(_pace(seed, n) for n in range(5))
        used += sum(_pace(seed, n) for n in range(remainder))
        return Decimal(10**9 + SAMPLES * used + within * _pace(seed, hour))

    return formula


def traffic(seed: int) -> Formula:
    """Return bytes a second: another level every hour, rising and falling within it.

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
    """Return nanoseconds of CPU time in 300 s."""
    return 2 * 10**9 * (30 + (seed + 7 * (hour % 5)) % 60)


def _ticks(begin: datetime.datetime, end: datetime.datetime) -> Iterator[datetime.datetime]:
    while begin < end:
        yield begin
        begin += STEP
