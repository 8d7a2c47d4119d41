"""Values and levels that a field of the calendar never has."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal

from ratekit.domain import rules
from ratekit.domain.rules import Rule


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
    spelling = _SPELLINGS.get(rule.parent.field or "")
    if spelling is None:
        return None
    if isinstance(rule, rules.Threshold):
        if rule.level <= Decimal(spelling.highest):
            return None
        return f"never reached: {rule.parent.field} is at most {spelling.highest}"
    if rule.value is None or spelling.pattern.fullmatch(rule.value):
        return None
    return f"{rule.value!r} never matches: {spelling.words}"
