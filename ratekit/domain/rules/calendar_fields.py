"""Fields of a period's begin that rules may match although no frame stores them.

Names and spelling are CloudKitty 25's (``BaseCollector._create_data_point``), in UTC where
CloudKitty takes the host's zone.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from decimal import Decimal

from ratekit.domain.rules import rule as rules
from ratekit.domain.rules.rule import Rule

NAMES = frozenset({"year", "month", "day_of_the_year", "week_of_the_year"})


def fields(begin: datetime.datetime) -> Mapping[str, str]:
    """Return the fields of the UTC day of ``begin``.

    Months and days count from 1 and have no leading zero. Weeks begin on Sunday, count
    from 00 (the days before the first Sunday) and have two digits.
    """
    moment = begin.astimezone(datetime.UTC)
    return {
        "year": str(moment.year),
        "month": str(moment.month),
        "day_of_the_year": str(moment.timetuple().tm_yday),
        "week_of_the_year": moment.strftime("%U"),
    }


def day(instant: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the begin and end of the UTC day of ``instant``: no field changes within it."""
    since = instant.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return since, since + datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class _Spelling:
    pattern: re.Pattern[str]
    highest: int
    words: str


#: As the rating module spells them.
_SPELLINGS = {
    "year": _Spelling(re.compile("[1-9][0-9]{3}"), 9999, "a year has four digits"),
    "month": _Spelling(
        re.compile("[1-9]|1[0-2]"), 12, "months are 1 to 12, without a leading zero"
    ),
    "day_of_the_year": _Spelling(
        re.compile("[1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6]"),
        366,
        "days are 1 to 366, without a leading zero",
    ),
    "week_of_the_year": _Spelling(
        re.compile("[0-4][0-9]|5[0-3]"), 53, "weeks are 00 to 53, always of two digits"
    ),
}


def complaint(rule: Rule) -> str | None:
    """Return why ``rule`` never matches, if it is on a field of the calendar and does not."""
    spelling = _SPELLINGS.get(rule.target.label or "")
    if spelling is None:
        return None
    if isinstance(rule, rules.ThresholdRule):
        if rule.level <= Decimal(spelling.highest):
            return None
        return f"never reached: {rule.target.label} is at most {spelling.highest}"
    if rule.value is None or spelling.pattern.fullmatch(rule.value):
        return None
    return f"{rule.value!r} never matches: {spelling.words}"
