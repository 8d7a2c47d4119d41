"""Resources as Gnocchi's history tells them, and the frames that they should give."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)

#: Start of a bucket -> its aggregate.
Measures = Mapping[int, Fraction]
#: Sorted by name.
Labels = tuple[tuple[str, str | None], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """A record of a resource, in force from ``start`` until before ``end``.

    :ivar end: None: it is the newest
    :ivar scope: the value of the scope key
    :ivar attributes: everything that can be a label
    """

    start: int
    end: int | None
    scope: str
    attributes: Mapping[str, str | None]
    started_at: int
    ended_at: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A resource with its whole history.

    :ivar revisions: oldest first, without gaps; at least one
    """

    id: str
    revisions: tuple[Revision, ...]


class FrameKey(NamedTuple):
    """What one frame is about; ``metric`` is the public name."""

    scope: str
    begin: int
    metric: str
    labels: Labels


class Frame(NamedTuple):
    """A quantity; ``whole`` and ``share`` are None where nothing is shared."""

    quantity: Decimal
    whole: Decimal | None = None
    share: Decimal | None = None


def microseconds(instant: datetime.datetime) -> int:
    """Return an aware instant as a number."""
    return (instant - EPOCH) // MICROSECOND


def as_datetime(instant: int) -> datetime.datetime:
    """Return a number as an aware instant in UTC."""
    return EPOCH + instant * MICROSECOND


def floor(instant: int, length: int) -> int:
    """Return the start of the bucket or period of this length that contains ``instant``."""
    return instant - instant % length
