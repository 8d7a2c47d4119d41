"""How quantities come about, for people who look at a few; rating itself records nothing."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.usage.lifetime import End
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.quantities import Reduction, usages
from ratekit.domain.usage.revision import Labels, Revision


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """The arithmetic of one quantity: ``convert(value) * share``, rounded to 18 places.

    :ivar begin: of the period, aware, UTC
    :ivar values: of whole buckets (or a counter's differences) in order of time, before they
        are reduced; where labels share one sum, those of all of them, a bucket once for each
    :ivar value: what they were reduced to, exact
    :ivar share: of the converted value that is charged under these labels
    """

    begin: datetime.datetime
    values: Sequence[Decimal]
    value: Fraction
    share: Fraction
    quantity: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class TraceStep:
    """A part of one usage: one resource's. Parts with equal labels and period add up."""

    scope: str
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    trace: Trace


def traced(
    revisions: Sequence[Revision], how: Reduction, ends: Sequence[End] = ()
) -> Iterator[tuple[Labels, Trace]]:
    """Yield what :func:`ratekit.domain.usage.quantities.usages` yields, and how it came about.

    The arithmetic is that function's own, with a recorder in place of its reducer and of its
    conversion, so what is told cannot differ from what is charged.
    """
    recorder = _Recorder(how)
    for labels, begin, quantity in usages(revisions, recorder.listening(), ends):
        yield labels, Trace(begin, recorder.values, recorder.value, recorder.share, quantity)


class _Recorder:
    """Notes what passes through a reduction; each quantity is yielded before the next begins."""

    def __init__(self, how: Reduction) -> None:
        self._how = how
        self._used = False
        self.values: tuple[Decimal, ...] = ()
        self.value = Fraction(0)
        self.share = WHOLE

    def listening(self) -> Reduction:
        """Return the reduction with this recorder in it."""
        reducer = dataclasses.replace(self._how.reducer, reduce=self._reduce, exactly=self._exactly)
        return dataclasses.replace(self._how, reducer=reducer, quantity=self._quantity)

    def _reduce(self, values: Sequence[Decimal]) -> tuple[Decimal | Fraction, int]:
        self.values = tuple(values)
        return self._how.reducer.reduce(values)

    def _exactly(self, value: Decimal) -> Fraction:
        # Several quantities may be parts of one sum, which is looked at once.
        self.values = (value,) if self._used else (*self.values, value)
        self._used = False
        return self._how.reducer.exactly(value)

    def _quantity(self, total: Decimal | Fraction, parts: int, share: Fraction) -> Decimal:
        self._used = True
        self.value, self.share = Fraction(total) / parts, share
        return self._how.quantity(total, parts, share)
