"""Which part of a bucket belongs to which revision."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tests.oracle.model import Resource, Revision


class Part(NamedTuple):
    """What one revision has of one bucket.

    :ivar begin: the bucket's start
    :ivar value: of the whole bucket, converted by the custom query
    :ivar cover: the share of it that the revision has, above 0
    """

    revision: Revision
    begin: int
    value: Fraction
    cover: Fraction


def time_of(revision: Revision, resource: Resource, begin: int, end: int) -> int:
    """Return how much of ``[begin, end)`` a revision was in force.

    A resource's very first revision reaches back over everything that was measured before.
    """
    start = begin if revision is resource.revisions[0] else max(revision.start, begin)
    stop = end if revision.end is None else min(revision.end, end)
    return max(stop - start, 0)


def cover(revision: Revision, resource: Resource, begin: int, granularity: int) -> Fraction:
    """Return the share of a bucket that a revision has."""
    return Fraction(time_of(revision, resource, begin, begin + granularity), granularity)


def undone(value: Fraction, share: Fraction) -> Fraction:
    """Return a bucket's value as it is after scaling it by ``share``, in binary, and back.

    The result has 15 significant digits, unless nothing was scaled.
    """
    if share == 1:
        return value
    with decimal.localcontext(prec=15, rounding=decimal.ROUND_HALF_EVEN):
        return Fraction(Decimal(value.numerator) / Decimal(value.denominator))
