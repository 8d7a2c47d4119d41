"""Everything that is not a counter: each bucket is usage by itself."""

from __future__ import annotations

from tests.oracle.coverage import Part, cover, undone
from tests.oracle.definition import Definition
from tests.oracle.model import Measures, Resource
from tests.oracle.rating_time import RatingTime


def parts(
    resource: Resource, definition: Definition, measures: Measures, begin: int, time: RatingTime
) -> list[Part]:
    """Return what each revision has of the buckets of the period that starts at ``begin``."""
    records = time.records(resource, begin)
    if not records:
        return []
    ended_at = records[-1].ended_at
    result = []
    for bucket in sorted(measures):
        if not begin <= bucket < begin + time.step:
            continue
        if ended_at is not None and bucket >= ended_at:
            continue
        for revision in records:
            share = cover(revision, resource, bucket, definition.granularity)
            if share > 0:
                value = definition.apply_query(undone(measures[bucket], share))
                if definition.judges_buckets:
                    value = definition.without_negative(value)
                result.append(Part(revision, bucket, value, share))
    return result
