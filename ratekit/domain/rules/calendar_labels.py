"""Labels that rules may compare although no usage has them: those of a period's start.

Names and spelling are those of CloudKitty 25 (``BaseCollector._create_data_point``), in UTC
where CloudKitty takes the host's time zone.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from ratekit.domain.rules.rule import Rule, ThresholdRule


@dataclasses.dataclass(frozen=True, slots=True)
class _CalendarLabel:
    """How one of the labels is spelled.

    :ivar spell: returns the label of a UTC time
    :ivar pattern: matches every spelling that occurs, and no other
    :ivar highest: as a number
    :ivar spelling: the pattern in words
    """

    spell: Callable[[datetime.datetime], str]
    pattern: re.Pattern[str]
    highest: int
    spelling: str


_LABELS = {
    "year": _CalendarLabel(
        lambda utc: str(utc.year), re.compile("[1-9][0-9]{3}"), 9999, "a year has four digits"
    ),
    "month": _CalendarLabel(
        lambda utc: str(utc.month),
        re.compile("[1-9]|1[0-2]"),
        12,
        "months are 1 to 12, without a leading zero",
    ),
    "day_of_the_year": _CalendarLabel(
        lambda utc: str(utc.timetuple().tm_yday),
        re.compile("[1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6]"),
        366,
        "days are 1 to 366, without a leading zero",
    ),
    # Weeks start on Sunday; the days before the first Sunday are week 00.
    "week_of_the_year": _CalendarLabel(
        lambda utc: utc.strftime("%U"),
        re.compile("[0-4][0-9]|5[0-3]"),
        53,
        "weeks are 00 to 53, always with two digits",
    ),
}
NAMES = frozenset(_LABELS)


def read(begin: datetime.datetime) -> Mapping[str, str]:
    """Return the labels of the period that starts at ``begin``, by name."""
    utc = begin.astimezone(datetime.UTC)
    return {name: label.spell(utc) for name, label in _LABELS.items()}


def utc_day(instant: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the start and end of the UTC day of ``instant``: no label changes within it."""
    since = instant.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return since, since + datetime.timedelta(days=1)


def explain_mismatch(rule: Rule) -> str | None:
    """Return why ``rule`` can never match; None: it can, or compares no label of the calendar."""
    label = _LABELS.get(rule.target.label or "")
    if label is None:
        return None
    if isinstance(rule, ThresholdRule):
        if rule.level <= Decimal(label.highest):
            return None
        return f"never reached: {rule.target.label} is at most {label.highest}"
    if rule.value is None:
        return f"null never matches: every period has {rule.target.label}"
    if label.pattern.fullmatch(rule.value):
        return None
    return f"{rule.value!r} never matches: {label.spelling}"
