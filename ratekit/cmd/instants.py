"""Times and months in options, as people type them; doc/cli.rst lists the forms."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping

from ratekit import errors

#: How the help of an option describes a time.
TIME = "such as 2026-11-27T14:00, 2026-11, yesterday or -7d; UTC unless it has an offset"
#: How the help of an option describes a month.
MONTH = "such as 2026-11, this-month or last-month"

_DAY = datetime.timedelta(days=1)
_HOUR = datetime.timedelta(hours=1)
_UNITS = {"h": _HOUR, "d": _DAY, "w": 7 * _DAY}
_DISTANCE = re.compile(r"([+-]\d+)([hdw])")
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


def _midnight(local: datetime.datetime) -> datetime.datetime:
    # Where clocks skip midnight or repeat it, fold 0 is the first instant of the day.
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _this_month(local: datetime.datetime) -> datetime.datetime:
    return _midnight(local).replace(day=1)


def _next_month(local: datetime.datetime) -> datetime.datetime:
    return (_this_month(local) + 32 * _DAY).replace(day=1)


#: Starts of months by name, from the local time.
_MONTHS: Mapping[str, Callable[[datetime.datetime], datetime.datetime]] = {
    "this-month": _this_month,
    "last-month": lambda local: _this_month(_this_month(local) - _DAY),
    "next-month": _next_month,
}
#: Arithmetic on a local time follows the calendar: a day may have 23 or 25 hours.
_WORDS: Mapping[str, Callable[[datetime.datetime], datetime.datetime]] = {
    **_MONTHS,
    "now": lambda local: local,
    "today": _midnight,
    "yesterday": lambda local: _midnight(local) - _DAY,
    "tomorrow": lambda local: _midnight(local) + _DAY,
}


def read_instant(
    option: str,
    text: str,
    now: datetime.datetime,
    timezone: datetime.tzinfo = datetime.UTC,
    margin: datetime.timedelta = _DAY,
) -> datetime.datetime:
    """Return the time that an option names, as UTC.

    A month or a day stands for its start.

    :param now: the current time, aware
    :param timezone: of days, months and times without an offset
    :param margin: so much after it must be representable, too: its period or its day
    :raises ratekit.errors.OperatorError: it is not a time, or too far in the past or future
    """
    try:
        instant = _parse(text.strip(), now.astimezone(timezone)).astimezone(datetime.UTC)
        _ = instant + margin
    except ValueError:
        hint = errors.suggestion(text, _WORDS)
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
            f"yesterday or -7d, not {text!r}{hint}"
        ) from None
    except OverflowError:
        raise _too_far(option, text) from None
    return instant


def read_month(
    option: str, text: str, now: datetime.datetime, timezone: datetime.tzinfo = datetime.UTC
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the start of the month that an option names, and that of the next one, as UTC.

    :param now: the current time, aware
    :param timezone: in which the month starts
    :raises ratekit.errors.OperatorError: it is not a month, or too far in the past or future
    """
    word = text.strip().casefold()
    try:
        if word not in _MONTHS and not _MONTH.fullmatch(word):
            raise ValueError(word)
        begin = _parse(word, now.astimezone(timezone))
        return begin.astimezone(datetime.UTC), _next_month(begin).astimezone(datetime.UTC)
    except ValueError:
        raise errors.OperatorError(
            f"{option}: expected a month such as 2026-01, this-month or last-month, "
            f"not {text!r}{errors.suggestion(text, _MONTHS)}"
        ) from None
    except OverflowError:
        raise _too_far(option, text) from None


def attach_distances(arguments: Iterable[str]) -> list[str]:
    """Return a command line with ``--begin -7d`` as ``--begin=-7d``.

    argparse would take ``-7d`` for an option.
    """
    words: list[str] = []
    for argument in arguments:
        after_option = words and re.fullmatch(r"--[a-z][a-z-]*", words[-1])
        if after_option and argument.startswith("-") and _DISTANCE.fullmatch(argument.casefold()):
            words[-1] += f"={argument}"
        else:
            words.append(argument)
    return words


def _parse(text: str, local: datetime.datetime) -> datetime.datetime:
    """Return an aware time.

    :param local: the current time
    :raises ValueError: it is not a time
    :raises OverflowError: it is outside of the calendar
    """
    word = text.casefold()
    if word in _WORDS:
        return _WORDS[word](local)
    if distance := _DISTANCE.fullmatch(word):
        return _add(local, int(distance[1]), distance[2])
    if month := _MONTH.fullmatch(text):
        return datetime.datetime(int(month[1]), int(month[2]), 1, tzinfo=local.tzinfo)
    instant = datetime.datetime.fromisoformat(text)
    return instant if instant.utcoffset() is not None else instant.replace(tzinfo=local.tzinfo)


def _add(local: datetime.datetime, count: int, unit: str) -> datetime.datetime:
    """Return the full hour that is so long after a time; periods start at full hours of UTC."""
    if _UNITS[unit] < _DAY:
        local = local.astimezone(datetime.UTC)
    later = (local + count * _UNITS[unit]).astimezone(datetime.UTC)
    return later.replace(minute=0, second=0, microsecond=0)


def _too_far(option: str, text: str) -> errors.OperatorError:
    # Only times at the two ends of the calendar overflow.
    direction = "past" if text.strip().startswith(("0", "-")) else "future"
    return errors.OperatorError(f"{option}: {text!r} is too far in the {direction}")
