"""Half-open periods on a grid that starts at the epoch, in UTC."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from ratekit.text import duration_text, minute_text

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

#: Bounds of open intervals, so that one comparison tells whether an instant is inside.
BEGINNING = datetime.datetime.min.replace(tzinfo=datetime.UTC)
FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def require_utc(instant: datetime.datetime) -> None:
    """Require an aware datetime in UTC.

    :raises ValueError: the instant is naive or in another time zone
    """
    if instant.tzinfo is not datetime.UTC and instant.utcoffset() != datetime.timedelta(0):
        raise ValueError(f"{instant!r} is not an aware UTC datetime")


def floor(instant: datetime.datetime, step: datetime.timedelta) -> datetime.datetime:
    """Return the last instant of the grid at or before ``instant``."""
    require_utc(instant)
    return EPOCH + (instant - EPOCH) // step * step


def ceiling(instant: datetime.datetime, step: datetime.timedelta) -> datetime.datetime:
    """Return the first instant of the grid at or after ``instant``."""
    require_utc(instant)
    return EPOCH - (EPOCH - instant) // step * step


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time range ``begin <= t < end``.

    :ivar begin: first instant of the period, aware, UTC
    :ivar end: first instant after the period, aware, UTC
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

    :ivar begin: start of the first period, a multiple of ``step`` since the epoch
    :ivar step: length of a period, whole seconds
    :ivar count: number of periods, at least 1
    """

    begin: datetime.datetime
    step: datetime.timedelta
    count: int

    def __post_init__(self) -> None:
        if self.step <= datetime.timedelta(0) or self.step.microseconds:
            raise ValueError(f"a period lasts whole seconds, not {duration_text(self.step)}")
        if self.count < 1:
            raise ValueError(f"a window has at least one period, not {self.count}")
        if floor(self.begin, self.step) != self.begin:
            raise ValueError(
                f"{self.begin} is not a multiple of {duration_text(self.step)} since the epoch"
            )

    @property
    def end(self) -> datetime.datetime:
        """First instant after the last period."""
        return self.begin + self.count * self.step

    def begins(self) -> list[datetime.datetime]:
        """Return the start of each period, in order."""
        return [self.begin + index * self.step for index in range(self.count)]

    def periods(self) -> Iterator[Period]:
        """Yield the periods, in order."""
        for begin in self.begins():
            yield Period(begin, begin + self.step)

    def __str__(self) -> str:
        return f"{minute_text(self.begin)}/{minute_text(self.end)}"
