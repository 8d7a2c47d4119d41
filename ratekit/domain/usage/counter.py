"""Growth of a counter across a resource's revisions (doc/arithmetic.rst).

A counter only grows until it restarts from zero. The usage of a bucket is the growth of the
counter since the newest bucket before it. Where that bucket is further back than the counter's
``gap``, the time of the growth is too uncertain and nothing is counted. Nor is the first value
that a counter shows, unless the metric says that its counters start with their resources.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.usage.lifetime import find_end
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.remarks import Remark, RemarkKind
from ratekit.domain.usage.revision import EVER, NEVER, Instant, Revision, View, overlap

#: The largest relative error that undoing a cover leaves in a value.
_NOISE = Decimal("1e-14")
#: (start of the bucket, value of the counter)
Reading = tuple[Instant, Decimal]
#: start of a period -> records that were made from that instant on do not count for it
Horizon = Callable[[Instant], Instant]


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """How a metric's counters are read.

    :ivar gap: how far before a bucket the previous one may start for the growth to count
    :ivar counts_first: a counter starts at zero with its resource, so its first value counts
        where the resource started at most ``gap`` before it
    :ivar keeps_steps: a smaller value than the one before it is passed on as a negative step,
        because the metric's custom query decides about it; otherwise it is a restart
    """

    gap: datetime.timedelta
    counts_first: bool = False
    keeps_steps: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Periods, and how long after their ends measures and records count for them.

    :ivar step: length of a period
    :ivar granularity: length of a bucket; divides ``step``
    :ivar patience: a period becomes due so long after its end
    :ivar horizon: see :data:`Horizon`
    :ivar origin: start of any period
    """

    step: datetime.timedelta
    granularity: datetime.timedelta
    patience: datetime.timedelta
    horizon: Horizon
    origin: Instant

    def period_of(self, instant: Instant) -> Instant:
        """Return the start of the period that contains an instant."""
        return self.origin + (instant - self.origin) // self.step * self.step


class _Step(NamedTuple):
    """The growth that one bucket shows.

    :ivar since: start of the bucket that it is compared with; None: of none
    """

    begin: Instant
    growth: Decimal
    since: Instant | None


class _Presence(NamedTuple):
    """A revision, and the starts of the buckets that it has, in order of time."""

    revision: Revision
    begins: Sequence[Instant]

    def has_bucket(self, first: Instant, last: Instant) -> bool:
        """Return whether a bucket starts at ``first <= t < last``."""
        index = bisect.bisect_left(self.begins, first)
        return index < len(self.begins) and self.begins[index] < last


class _Presences:
    """The revisions of a resource that have buckets.

    :param presences: by start
    """

    def __init__(self, presences: Sequence[_Presence]) -> None:
        self._presences = presences
        revisions = [presence.revision for presence in presences]
        #: Since when each may be in force, and until when it or an earlier one may be: sorted.
        self._starts = [EVER if item.reaches_back else item.start for item in revisions]
        ends = (item.end or NEVER for item in revisions)
        self._latest_ends = list(itertools.accumulate(ends, max))

    def only_revision(self) -> Revision | None:
        """Return the only revision; None: there are several."""
        return self._presences[0].revision if len(self._presences) == 1 else None

    def during(self, begin: Instant, end: Instant) -> Sequence[_Presence]:
        """Return those that may have been in force at ``begin <= t < end``, by start."""
        first = bisect.bisect_right(self._latest_ends, begin)
        last = bisect.bisect_left(self._starts, end)
        return self._presences[first:last]


def is_within_gap(previous: Instant, begin: Instant, counter: Counter) -> bool:
    """Return whether the growth between two buckets counts.

    :param previous: start of the earlier one
    """
    return begin - previous <= counter.gap


def growths(values: Sequence[Decimal], counter: Counter) -> list[Decimal]:
    """Return the growth from each value to the next one, whatever the time between them."""
    differences = [*map(EXACT.subtract, values[1:], values)]
    # Hardly any counter restarts: 0.1 µs a bucket instead of 0.25.
    if min(differences) >= 0:
        return differences
    return [
        difference if difference >= 0 else _fall(previous, value, difference, counter)
        for previous, value, difference in zip(values[:-1], values[1:], differences, strict=True)
    ]


def growth_by_period(
    revisions: Sequence[Revision],
    views_of: Mapping[Instant, Sequence[View]],
    periods: Iterable[Instant],
    counter: Counter,
    grid: Grid,
    previous: Reading | None,
    remarks: list[Remark],
) -> dict[Instant, list[View]]:
    """Return views of each period with the growth of the counter in place of its value.

    Growth between two buckets is shared by time between the revisions in force. Growth that a
    bucket shows after the resource's end counts to the period of the end.

    :param revisions: one resource's, by start, whatever their scopes
    :param views_of: their views by period; from the period before the first one that is
        wanted until the last one is due
    :param periods: starts of the periods that are wanted
    :param previous: the last reading before those in ``views_of``, if it was looked for
    :param remarks: growth that does not count is added here
    """
    readings = _readings(view for views in views_of.values() for view in views)
    wanted = set(periods)
    steps: dict[Instant, list[_Step]] = {}
    has_end = any(revision.ended_at is not None for revision in revisions)
    values = sorted((begin, value) for begin, (value, _) in readings.items())
    for index, (begin, value) in enumerate(values):
        period = _period_to_charge(begin, revisions, grid) if has_end else grid.period_of(begin)
        if period not in wanted:
            continue
        before = values[index - 1] if index else previous
        revision = readings[begin][1]
        is_old = revisions[0].start < begin - counter.gap
        step = _step(begin, value, before, revision, counter, remarks, is_old)
        if step is not None:
            steps.setdefault(period, []).append(step)
    presences = _presences(revisions, views_of)
    return {
        period: _share_growth(period, steps[period], presences, grid)
        for period in sorted(steps)
        if revisions[0].start < grid.horizon(period)
    }


def _presences(
    revisions: Sequence[Revision], views_of: Mapping[Instant, Sequence[View]]
) -> _Presences:
    """Return the revisions that have buckets, with the starts of these."""
    begins: dict[Instant, list[Instant]] = {}
    for views in views_of.values():
        for revision, buckets in views:
            begins.setdefault(revision.start, []).extend(begin for begin, _, _ in buckets)
    return _Presences(
        [
            _Presence(revision, sorted(begins[revision.start]))
            for revision in revisions
            if revision.start in begins
        ]
    )


def _readings(views: Iterable[View]) -> dict[Instant, tuple[Decimal, Revision]]:
    """Return the counter's value in each bucket, from the revision that covers most of it."""
    covers: dict[Instant, Fraction] = {}
    readings: dict[Instant, tuple[Decimal, Revision]] = {}
    for revision, buckets in views:
        for begin, value, cover in buckets:
            if begin not in covers or cover > covers[begin]:
                covers[begin] = cover
                readings[begin] = value, revision
    return readings


def _period_to_charge(begin: Instant, revisions: Sequence[Revision], grid: Grid) -> Instant:
    """Return the period to which the growth in a bucket counts.

    That is the period of the resource's end, if the bucket starts after the end, but before
    that period was due, and the end was recorded by then.
    """
    period = grid.period_of(begin)
    candidate = grid.period_of(begin - grid.patience)
    while candidate < period:
        end = candidate + grid.step
        due = end + grid.patience
        # Also when usage is collected again: other periods, which are not, keep what they have.
        ended_at = find_end(revisions, due)
        if ended_at is not None and candidate < ended_at <= end and ended_at <= begin < due:
            return candidate
        candidate = end
    return period


def _step(
    begin: Instant,
    value: Decimal,
    before: Reading | None,
    revision: Revision,
    counter: Counter,
    remarks: list[Remark],
    is_old: bool,
) -> _Step | None:
    """Return the growth that a bucket shows; None: it does not count."""
    if before is not None and is_within_gap(before[0], begin, counter):
        [growth] = growths((before[1], value), counter)
        return _Step(begin, growth, before[0])
    started_at = revision.started_at
    is_young = started_at is not None and started_at >= begin - counter.gap
    if counter.counts_first and is_young:
        return _Step(begin, value, None)
    if before is not None:
        [growth] = growths((before[1], value), counter)
        remarks.append(Remark(RemarkKind.GAP, begin, growth))
    elif is_old and not is_young:
        remarks.append(Remark(RemarkKind.GAP, begin, None))
    return None


def _fall(previous: Decimal, value: Decimal, difference: Decimal, counter: Counter) -> Decimal:
    """Return what counts where a value is smaller than the one before it."""
    if -difference <= EXACT.multiply(previous, _NOISE):
        # A bucket that was cut is exact to 15 digits only: a drop that small is no step.
        return ZERO
    return difference if counter.keeps_steps else value


def _share_growth(
    period: Instant, steps: Sequence[_Step], presences: _Presences, grid: Grid
) -> list[View]:
    """Return views of growth, by start: each step under each revision that it is shared with."""
    views: dict[Instant, View] = {}
    for step in steps:
        for revision, share in _shares(period, step, presences, grid):
            if revision.start not in views:
                views[revision.start] = View(revision, [])
            views[revision.start].buckets.append((step.begin, step.growth, share))
    return [views[start] for start in sorted(views)]


def _shares(
    period: Instant, step: _Step, presences: _Presences, grid: Grid
) -> list[tuple[Revision, Fraction]]:
    """Return each revision's share of a step, by time since the bucket before.

    Only revisions with a bucket in the period or the one before take part, because no others
    are found by those who ask for their scopes alone.
    """
    only_revision = presences.only_revision()
    if only_revision is not None:
        return [(only_revision, WHOLE)]
    begin, end = step.begin, step.begin + grid.granularity
    first, last = period - grid.step, max(period + grid.step, end)
    if step.since is not None and step.since >= first:
        begin = max(step.since + grid.granularity, period)
    times = [
        (presence.revision, time)
        for presence in presences.during(begin, end)
        if presence.has_bucket(first, last) and (time := overlap(presence.revision, begin, end)) > 0
    ]
    total = sum(time for _, time in times)
    return [(revision, Fraction(time, total)) for revision, time in times]
