"""Resources to which nothing happened, as nearly all of them: in columns."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from ratekit.domain.usage.revision import Instant, Revision

#: Timelines that are remembered; one has up to a few hundred instants.
_REMEMBERED = 1000


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The starts of buckets, in order of time; resources share it, so it is compared by identity.

    :ivar begins: aware, UTC
    """

    begins: Sequence[Instant]


class Timelines(dict[tuple[str, ...], Timeline]):
    """Parsed timelines. Resources have their buckets at the same times, so each is parsed once.

    Single periods of 300 s: 1 µs a frame instead of 9.

    :param instants: text -> instant
    """

    def __init__(self, instants: Mapping[str, Instant]) -> None:
        super().__init__()
        self._instants = instants

    def __missing__(self, texts: tuple[str, ...]) -> Timeline:
        begins = tuple(map(self._instants.__getitem__, texts))
        if any(begin >= successor for begin, successor in itertools.pairwise(begins)):
            # A bucket that occurs twice would count twice.
            raise ValueError("buckets are not in order of time")
        if len(self) >= _REMEMBERED:
            self.clear()
        self[texts] = timeline = Timeline(begins)
        return timeline


class PlainResource(msgspec.Struct, frozen=True, gc=False):
    """A resource with one revision in a response, which is the current one.

    The resource and its record are older than the time that was read, and it has not ended; so
    the revision covers every bucket alone and as a whole, and counts for every period.

    :ivar record: the revision, without buckets
    :ivar timeline: the starts of its buckets, at least one
    :ivar values: one value for each of them
    """

    id: str
    record: Revision
    timeline: Timeline
    values: tuple[Decimal, ...]

    def revision(self) -> Revision:
        """Return the revision with its buckets."""
        buckets = list(zip(self.timeline.begins, self.values, strict=True))
        return self.record._replace(buckets=buckets)
