"""Differences of a counter across a resource's revisions (doc/arithmetic.rst).

A counter only grows until it restarts from zero. The usage of a bucket is the growth of the
counter since the newest bucket before it. Where that bucket is further back than ``reach``,
the time of the growth is unknown and nothing is counted, unless the counter is so young
that it started at zero within that time.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.revision import Instant, Revision, View

#: The largest relative error that undoing a cover leaves in a value.
_NOISE = Decimal("1e-14")
#: (value of the counter, cover, revision), from the revision that covers most of the bucket.
_Reading = tuple[Decimal, Fraction, Revision]


def differences(
    before: Sequence[View], views: Sequence[View], reach: datetime.timedelta
) -> list[View]:
    """Return a period's views with the growth of the counter in place of its value.

    A value below the one before it is a counter that restarted, and counts as it is. Revisions
    that share a bucket have shares of it that add up to 1, even where revisions that are
    billed elsewhere share it too: those have no reading before it, and count nothing.

    :param before: views of the period before, by start of the revision
    :param views: views of the period, by start of the revision
    :param reach: how far back a bucket is compared; the first bucket of a counter that is
        not older counts in full
    """
    readings = _readings(views)
    previous = _last(before)
    growth: dict[Instant, Decimal] = {}
    for begin in sorted(readings):
        value, _, revision = readings[begin]
        if previous is not None and begin - previous[0] <= reach:
            growth[begin] = _growth(previous[1], value)
        elif _is_young(revision, begin, reach):
            growth[begin] = value
        previous = begin, value
    return _replace_values(views, growth)


def _readings(views: Sequence[View]) -> dict[Instant, _Reading]:
    readings: dict[Instant, _Reading] = {}
    for revision, buckets in views:
        for begin, whole, cover in buckets:
            reading = readings.get(begin)
            if reading is None or cover > reading[1]:
                readings[begin] = whole, cover, revision
    return readings


def _last(views: Sequence[View]) -> tuple[Instant, Decimal] | None:
    """Return the start of the newest bucket and the counter's value in it."""
    if not views:
        return None
    newest = max(buckets[-1][0] for _, buckets in views)
    last_views = [View(revision, buckets[-1:]) for revision, buckets in views]
    return newest, _readings(last_views)[newest][0]


def _growth(previous: Decimal, value: Decimal) -> Decimal:
    if value >= previous:
        return EXACT.subtract(value, previous)
    drop = EXACT.subtract(previous, value)
    # A bucket that was cut is exact to 15 digits only: a drop that small is no restart.
    return ZERO if drop <= EXACT.multiply(previous, _NOISE) else value


def _is_young(revision: Revision, begin: Instant, reach: datetime.timedelta) -> bool:
    """Return whether the resource started at most ``reach`` before the bucket, or later."""
    return revision.started_at is not None and revision.started_at >= begin - reach


def _replace_values(views: Sequence[View], values: Mapping[Instant, Decimal]) -> list[View]:
    covers: dict[Instant, Fraction] = {}
    for _, buckets in views:
        for begin, _, cover in buckets:
            covers[begin] = covers[begin] + cover if begin in covers else cover
    results = []
    for revision, buckets in views:
        growth = [
            (begin, values[begin], WHOLE if covers[begin] is cover else cover / covers[begin])
            for begin, _, cover in buckets
            if begin in values
        ]
        if growth:
            results.append(View(revision, growth))
    return results
