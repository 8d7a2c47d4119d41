"""Time as rating sees it: half-open periods on a grid since the epoch, in UTC."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

#: Stand-ins for "for ever", so that one comparison answers whether an instant is inside.
BEGINNING = datetime.datetime.min.replace(tzinfo=datetime.UTC)
FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def require_utc(instant: datetime.datetime) -> None:
    """Refuse an instant that is naive or in another zone than UTC.

    :raises ValueError: it is
    """
    if instant.utcoffset() != datetime.timedelta(0):
        raise ValueError(f"{instant!r} is not an aware UTC datetime")


def floor(instant: datetime.datetime, step: datetime.timedelta) -> datetime.datetime:
    """Return the last instant of the grid that is not after ``instant``."""
    require_utc(instant)
    return EPOCH + (instant - EPOCH) // step * step


def ceiling(instant: datetime.datetime, step: datetime.timedelta) -> datetime.datetime:
    """Return the first instant of the grid that is not before ``instant``."""
    require_utc(instant)
    return EPOCH - (EPOCH - instant) // step * step


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Period:
    """The stretch of time ``begin <= t < end``.

    :ivar begin: first instant inside, aware, UTC
    :ivar end: first instant outside, aware, UTC
    """

    begin: datetime.datetime
    end: datetime.datetime

    def __post_init__(self) -> None:
        require_utc(self.begin)
        require_utc(self.end)
        if self.begin >= self.end:
            raise ValueError(f"a period must end after it begins: {self.begin} to {self.end}")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Window:
    """Consecutive periods of equal length that are collected together.

    :ivar begin: begin of the first period, on the grid of ``step`` since the epoch
    :ivar step: length of a period, whole seconds
    :ivar count: number of periods, at least 1
    """

    begin: datetime.datetime
    step: datetime.timedelta
    count: int

    def __post_init__(self) -> None:
        if self.step <= datetime.timedelta(0) or self.step.microseconds:
            raise ValueError(f"a period lasts whole seconds, not {self.step}")
        if self.count < 1:
            raise ValueError(f"a window has at least one period, not {self.count}")
        if floor(self.begin, self.step) != self.begin:
            raise ValueError(f"{self.begin} is not a multiple of {self.step} since the epoch")

    @property
    def end(self) -> datetime.datetime:
        """First instant after the last period."""
        return self.begin + self.count * self.step

    def begins(self) -> list[datetime.datetime]:
        """Begins of the periods, in order."""
        return [self.begin + index * self.step for index in range(self.count)]

    def periods(self) -> Iterator[Period]:
        """Yield the periods, in order."""
        for begin in self.begins():
            yield Period(begin, begin + self.step)

    def __str__(self) -> str:
        return f"{self.begin:%Y-%m-%dT%H:%MZ}/{self.end:%Y-%m-%dT%H:%MZ}"
