"""Differences of a counter, taken across a resource's revisions (design, section 5).

A counter only grows, until it starts again from zero. What was used in a bucket is what the
counter grew by since the newest bucket before it; where that is further back than
``reach``, nobody can say when it grew, and nothing is counted, unless the counter is so
young that it began at zero within that time.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.revision import Instant, Revision, View

#: What undoing a cover may take from a value, at most.
_NOISE = Decimal("1e-14")
#: What a counter stood at, as the revision says that covers most of the bucket.
_Reading = tuple[Decimal, Fraction, Revision]


def differences(
    before: Sequence[View], now: Sequence[View], reach: datetime.timedelta
) -> list[View]:
    """Return a period's views with what the counter grew by in place of what it stood at.

    A value below the one before it is a counter that started again, and counts as it is. Revisions
    that share a bucket have shares of it that make 1, though others, who are billed
    elsewhere, may have been there too: they have no reading before it, and count nothing.

    :param before: views of the period before, by start of the revision
    :param now: views of the period, by start of the revision
    :param reach: how far back a bucket is compared; of a counter that is not older
        the first bucket counts in full
    """
    readings = _readings(now)
    previous = _last(before)
    grown: dict[Instant, Decimal] = {}
    for begin in sorted(readings):
        value, _, revision = readings[begin]
        if previous is not None and begin - previous[0] <= reach:
            grown[begin] = _growth(previous[1], value)
        elif _is_young(revision, begin, reach):
            grown[begin] = value
        previous = begin, value
    return _replaced(now, grown)


def _readings(views: Sequence[View]) -> dict[Instant, _Reading]:
    readings: dict[Instant, _Reading] = {}
    for revision, buckets in views:
        for begin, whole, cover in buckets:
            known = readings.get(begin)
            if known is None or cover > known[1]:
                readings[begin] = whole, cover, revision
    return readings


def _last(views: Sequence[View]) -> tuple[Instant, Decimal] | None:
    """The newest bucket and what the counter stood at."""
    if not views:
        return None
    newest = max(buckets[-1][0] for _, buckets in views)
    ends = [View(revision, buckets[-1:]) for revision, buckets in views]
    return newest, _readings(ends)[newest][0]


def _growth(previous: Decimal, value: Decimal) -> Decimal:
    if value >= previous:
        return EXACT.subtract(value, previous)
    fallen = EXACT.subtract(previous, value)
    # A bucket that was cut is known to 15 digits: a standing counter is none that starts again.
    return ZERO if fallen <= EXACT.multiply(previous, _NOISE) else value


def _is_young(revision: Revision, begin: Instant, reach: datetime.timedelta) -> bool:
    """It began within the reach before the bucket, or in it, or was recorded later."""
    return revision.started_at is not None and revision.started_at >= begin - reach


def _replaced(views: Sequence[View], values: Mapping[Instant, Decimal]) -> list[View]:
    covers: dict[Instant, Fraction] = {}
    for _, buckets in views:
        for begin, _, cover in buckets:
            covers[begin] = covers[begin] + cover if begin in covers else cover
    replaced = []
    for revision, buckets in views:
        grown = [
            (begin, values[begin], WHOLE if covers[begin] is cover else cover / covers[begin])
            for begin, _, cover in buckets
            if begin in values
        ]
        if grown:
            replaced.append(View(revision, grown))
    return replaced
