"""Revisions of a resource, and the buckets that each of them shows.

A back end keeps a history of each resource: revisions, each with its own attributes, and
aggregates in buckets of one granularity. In a query with history Gnocchi multiplies a bucket's
value by the share of the bucket that the revision covers; this module reverses that
(doc/arithmetic.rst).
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ratekit.domain.exact import EXACT
from ratekit.domain.usage.metric import WHOLE

#: 15 significant digits remove the error of a binary multiplication (first rounding point).
_UNCOVERED = decimal.Context(
    prec=15,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=EXACT.Emin,
    Emax=EXACT.Emax,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_MICROSECOND = datetime.timedelta(microseconds=1)
#: Before and after all other instants.
EVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)
NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)

Instant = datetime.datetime
Labels = tuple[str | None, ...]
#: A bucket as a revision shows it: start; value of the whole bucket, whichever revisions share
#: it; and the share of the bucket's time that is the revision's, above 0 and at most 1.
Bucket = tuple[Instant, Decimal, Fraction]


class Revision(NamedTuple):
    """A part of a resource's life during which its attributes did not change.

    :ivar labels: the configured labels' values; empty if the revision has no buckets
    :ivar start: first instant, UTC
    :ivar end: first instant after it, UTC, or None for the current one
    :ivar reaches_back: it is the resource's first, so it covers older measures too, which may
        be older than the resource's record
    :ivar buckets: (begin, value) as the back end scaled it, in order of time
    :ivar started_at: when the resource started to exist, according to this revision; None: unknown
    :ivar ended_at: when it ceased to exist, likewise; None: it has not, or unknown
    :ivar scope: id of the scope that owns the resource
    """

    labels: Labels
    start: Instant
    end: Instant | None
    reaches_back: bool
    buckets: Sequence[tuple[Instant, Decimal]]
    started_at: Instant | None = None
    ended_at: Instant | None = None
    scope: str | None = None


class View(NamedTuple):
    """The buckets of one period that one revision shows.

    :ivar buckets: in order of time, at least one
    """

    revision: Revision
    buckets: list[Bucket]


def views_by_period(
    revisions: Sequence[Revision],
    period_of: Callable[[Instant], Instant | None],
    granularity: datetime.timedelta,
) -> dict[Instant, list[View]]:
    """Return each revision's view of each period, in the order of ``revisions``.

    :param period_of: start of a bucket -> start of its period; None: the bucket is ignored, and
        so is a bucket of which the revision covers nothing
    """
    views: dict[Instant, list[View]] = {}
    for revision in revisions:
        first, last = _whole_from(revision), _whole_until(revision, granularity)
        current: Instant | None = None
        buckets: list[Bucket] = []
        for begin, value in revision.buckets:
            period = period_of(begin)
            if period is None:
                continue
            cover = WHOLE
            if begin < first or begin > last:
                cover = _cover(revision, begin, granularity)
                if cover <= 0:
                    continue
                value = _undo_cover(value, cover)
            if period != current:
                current, buckets = period, []
                views.setdefault(period, []).append(View(revision, buckets))
            buckets.append((begin, value, cover))
    return views


def overlap(revision: Revision, begin: Instant, end: Instant) -> int:
    """Return for how many microseconds of ``begin <= t < end`` the revision was in force.

    At most 0: not at all. A resource's first revision reaches back.
    """
    start = begin if revision.reaches_back else max(revision.start, begin)
    stop = end if revision.end is None else min(revision.end, end)
    return (stop - start) // _MICROSECOND


def _whole_from(revision: Revision) -> Instant:
    """Return the start of the first bucket that the revision may cover as a whole."""
    return EVER if revision.reaches_back else revision.start


def _whole_until(revision: Revision, granularity: datetime.timedelta) -> Instant:
    """Return the start of the last bucket that the revision may cover as a whole."""
    return NEVER if revision.end is None else revision.end - granularity


def _cover(revision: Revision, begin: Instant, granularity: datetime.timedelta) -> Fraction:
    """Return the share of the bucket that the revision covers; at most 0: none."""
    return Fraction(overlap(revision, begin, begin + granularity), granularity // _MICROSECOND)


def _undo_cover(value: Decimal, cover: Fraction) -> Decimal:
    if cover == WHOLE:
        return value
    whole = EXACT.multiply(value, Decimal(cover.denominator))
    return _UNCOVERED.divide(whole, Decimal(cover.numerator))
