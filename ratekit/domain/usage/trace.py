"""How quantities are computed, step by step; for display, because rating records nothing."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.usage.quantities import Resource, period_parts, round_parts
from ratekit.domain.usage.reduction import Reduction
from ratekit.domain.usage.remarks import Remark
from ratekit.domain.usage.revision import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """The arithmetic of one quantity: ``convert(value) * share``, rounded to 18 places.

    :ivar begin: start of the period, aware, UTC
    :ivar values: values of whole buckets (or a counter's differences) in order of time, before
        they are reduced; where several sets of labels share one sum, the values of all of
        them, a bucket once for each
    :ivar value: the reduced value, exact
    :ivar share: of the converted value that is charged under these labels
    :ivar remarks: what else an operator should know of the resource in the window
    """

    begin: datetime.datetime
    values: Sequence[Decimal]
    value: Fraction
    share: Fraction
    quantity: Decimal
    remarks: Sequence[Remark] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class TraceStep:
    """One resource's part of a usage. Parts with equal labels and period add up."""

    scope: str
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    trace: Trace


def trace_usages(resource: Resource, reduction: Reduction) -> Iterator[tuple[Labels, Trace]]:
    """Yield one resource's usage with its arithmetic.

    The parts are those that :func:`ratekit.domain.usage.quantities.usages` rounds.
    """
    remarks: list[Remark] = []
    for period, parts in period_parts(resource, reduction, remarks):
        for part, (quantity, _) in zip(parts, round_parts(parts), strict=True):
            yield (
                part.labels,
                Trace(period, part.values, part.value, part.share, quantity, tuple(remarks)),
            )
