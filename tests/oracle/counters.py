"""Counters: usage is the growth between buckets, across revisions and scopes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.oracle.coverage import Part, cover, time_of, undone
from tests.oracle.definition import Definition
from tests.oracle.model import Measures, Resource, Revision, floor
from tests.oracle.rating_time import RatingTime

#: A drop that is smaller, in relation to the value before, is noise.
NOISE = Fraction(1, 10**14)


def parts(
    resource: Resource, definition: Definition, measures: Measures, begin: int, time: RatingTime
) -> list[Part]:
    """Return what each revision has of the growth that counts for a period."""
    records = time.records(resource, begin)
    readings = _readings(resource, definition, measures, records)
    counting = [
        bucket for bucket in sorted(measures) if _counting_period(resource, bucket, time) == begin
    ]
    before = [bucket for bucket in measures if begin - time.step <= bucket < begin]
    present = [
        revision
        for revision in records
        if any(
            cover(revision, resource, bucket, definition.granularity) > 0
            for bucket in (*before, *counting)
        )
    ]
    result = []
    for bucket in counting:
        near = _is_near(_previous(measures, bucket), begin, time)
        growth = _growth(definition, readings, bucket, near, records)
        if growth is None:
            continue
        weights = _weights(resource, definition, measures, bucket, begin, near, present)
        if not any(weights.values()):
            weights = {
                revision.start: cover(revision, resource, bucket, definition.granularity)
                for revision in records
            }
        value = definition.without_negative(definition.apply_query(growth))
        result += [
            Part(revision, bucket, value, weights[revision.start])
            for revision in records
            if weights.get(revision.start, 0) > 0
        ]
    return result


def _counting_period(resource: Resource, bucket: int, time: RatingTime) -> int:
    """Return the start of the period that a bucket's growth counts for.

    Growth after an end counts for the period of the end, while that is not yet due.
    """
    period = floor(bucket, time.step)
    earlier = period
    while time.due(earlier - time.step) > bucket:
        earlier -= time.step
    for begin in range(earlier, period, time.step):
        if bucket < time.due(begin) and _ends_within(resource, bucket, begin, time):
            return begin
    return period


def _ends_within(resource: Resource, bucket: int, begin: int, time: RatingTime) -> bool:
    """Tell whether the period at ``begin`` is the one of an end that was before ``bucket``.

    What was known when it was due says so, also when usage is collected again: some periods may
    not be, and growth must be in one of them.
    """
    records = RatingTime(time.wait, step=time.step).records(resource, begin)
    ended_at = records[-1].ended_at if records else None
    return ended_at is not None and begin < ended_at <= begin + time.step and ended_at <= bucket


def _readings(
    resource: Resource,
    definition: Definition,
    measures: Measures,
    records: Sequence[Revision],
) -> Measures:
    """Return buckets as the revisions with most of them have them."""
    return {
        bucket: undone(
            value,
            max(
                (cover(revision, resource, bucket, definition.granularity) for revision in records),
                default=Fraction(1),
            ),
        )
        for bucket, value in measures.items()
    }


def _previous(measures: Measures, bucket: int) -> int | None:
    """Return the start of the bucket before."""
    return max((start for start in measures if start < bucket), default=None)


def _is_near(previous: int | None, begin: int, time: RatingTime) -> bool:
    """Tell whether a bucket is in the period at ``begin``, after it, or in the one before."""
    return previous is not None and previous >= begin - time.step


def _growth(
    definition: Definition,
    readings: Measures,
    bucket: int,
    near: bool,
    records: Sequence[Revision],
) -> Fraction | None:
    """Return what a counter grew by until ``bucket``; None: not known."""
    value, previous = readings[bucket], _previous(readings, bucket)
    if previous is None:
        recent = records and records[-1].started_at >= bucket - definition.counter_gap
        return value if definition.counts_first_value and recent else None
    if not near and bucket - previous > definition.counter_gap:
        return None
    before = readings[previous]
    if value >= before or definition.raw_steps:
        return value - before
    if before - value <= abs(before) * NOISE:
        return Fraction(0)
    return value


def _weights(
    resource: Resource,
    definition: Definition,
    measures: Measures,
    bucket: int,
    begin: int,
    near: bool,
    present: Sequence[Revision],
) -> dict[int, Fraction]:
    """Return each revision's share, by time, of what grew until the end of a bucket.

    :returns: by the start of the revision; all 0 if none was in force while it grew
    """
    start, end, previous = bucket, bucket + definition.granularity, _previous(measures, bucket)
    if near and previous is not None:
        start = max(previous + definition.granularity, begin)
    times = {revision.start: time_of(revision, resource, start, end) for revision in present}
    whole = sum(times.values()) or 1
    return {start: Fraction(length, whole) for start, length in times.items()}
