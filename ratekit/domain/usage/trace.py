"""How quantities are computed, step by step; for display, because rating records nothing."""

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

    :ivar begin: start of the period, aware, UTC
    :ivar values: values of whole buckets (or a counter's differences) in order of time, before
        they are reduced; where several sets of labels share one sum, the values of all of
        them, a bucket once for each
    :ivar value: the reduced value, exact
    :ivar share: of the converted value that is charged under these labels
    """

    begin: datetime.datetime
    values: Sequence[Decimal]
    value: Fraction
    share: Fraction
    quantity: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class TraceStep:
    """One resource's part of a usage. Parts with equal labels and period add up."""

    scope: str
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    trace: Trace


def trace_usages(
    revisions: Sequence[Revision], reduction: Reduction, ends: Sequence[End] = ()
) -> Iterator[tuple[Labels, Trace]]:
    """Yield the usages of :func:`ratekit.domain.usage.quantities.usages` with their arithmetic.

    That function computes them, with a recorder in place of its reducer and of its conversion,
    so the trace cannot differ from what is charged.
    """
    recorder = _Recorder(reduction)
    for labels, begin, quantity in usages(revisions, recorder.recording_reduction(), ends):
        yield labels, Trace(begin, recorder.values, recorder.value, recorder.share, quantity)


class _Recorder:
    """Records what passes through a reduction.

    Each quantity must be read before the computation of the next one starts.
    """

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self._is_complete = False
        self.values: tuple[Decimal, ...] = ()
        self.value = Fraction(0)
        self.share = WHOLE

    def recording_reduction(self) -> Reduction:
        """Return the reduction with this recorder in it."""
        reducer = dataclasses.replace(
            self._reduction.reducer, reduce=self._reduce, convert=self._convert
        )
        return dataclasses.replace(self._reduction, reducer=reducer, quantity=self._quantity)

    def _reduce(self, values: Sequence[Decimal]) -> tuple[Decimal | Fraction, int]:
        self.values = tuple(values)
        return self._reduction.reducer.reduce(values)

    def _convert(self, value: Decimal) -> Fraction:
        # Several quantities may be shares of one sum, whose values are converted only once.
        self.values = (value,) if self._is_complete else (*self.values, value)
        self._is_complete = False
        return self._reduction.reducer.convert(value)

    def _quantity(self, total: Decimal | Fraction, parts: int, share: Fraction) -> Decimal:
        self._is_complete = True
        self.value, self.share = Fraction(total) / parts, share
        return self._reduction.quantity(total, parts, share)
