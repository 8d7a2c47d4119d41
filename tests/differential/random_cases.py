"""Random rules and usages that match: labels and quantities are at or near those of the rules."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from hypothesis import strategies as st

from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.series import Series

HOUR = datetime.timedelta(hours=1)
# A Saturday evening: a week starts at the next midnight, on the fourth day of the year.
BASE = datetime.datetime(2026, 1, 3, 21, tzinfo=datetime.UTC)
#: Begins of periods, and starts and ends of rules.
BEGINS = tuple(BASE + n * HOUR for n in range(8))

CALENDAR = {
    "year": ("2026", "2025"),
    "month": ("1", "01"),
    "day_of_the_year": ("3", "4"),
    "week_of_the_year": ("00", "01"),
}
METRICS = ("instance",) * 12 + ("volume",)
LABELS = ("vcpus", "flavor", "größe") * 4 + tuple(CALENDAR)
TYPES = (CostType.FLAT, CostType.RATE, CostType.FLAT)
GROUPS = (None,) * 14 + ("a",) * 6 + ("größe",) * 3 + ("_DEFAULT_",)
SCOPES = (None,) * 6 + ("p1", "p1", "p1", "p2")
#: Plain words, and two spellings of one accented letter.
WORDS = ("m1.small", "M1.small", "\u00e9", "e\u0301", "小型", "None", "")
NUMBERS = ("0", "1", "2", "2.5", "-1", "+3", "04", "1e1", "10.", ".5", "1e-8", "1e999")
#: Numbers to CloudKitty alone, and texts for which it raises an exception.
IRREGULAR_NUMBERS = (" 2 ", "1_0", "Infinity", "-inf", "NaN", "\u0663", "1e1000", "3\n")
LETTERS = "aA0.-+e _\u00df\u0130\u0301\u200b\U0001f408"
_STARTS: tuple[datetime.datetime | None, ...] = (None, *BEGINS)
_ENDS: tuple[datetime.datetime | None, ...] = (*BEGINS, None)
VALIDITIES = ((None, None),) * 240 + tuple(itertools.product(_STARTS, _ENDS))

LEVELS = tuple(Decimal(text) for text in ("2", "1", "0", "2.0", "2.5", "10", "1", "1e-8", "1e2"))
COSTS = tuple(Decimal(text) for text in ("1", "0", "0.5", "3", "1.1", "2", "7", "-2", "1e-28"))
QUANTITIES = tuple(Decimal(text) for text in ("1", "2", "0", "2.5", "0.5", "10", "-1", "4"))
#: The last place of a quantity.
STEP = Decimal("1e-18")

T = TypeVar("T")
#: Enough bytes for the choices of one rule or one series.
CHOICE_BYTES = st.binary(min_size=48, max_size=48)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """Rules, and usages to price by them.

    :ivar before: price of each usage by previous modules
    """

    rules: Sequence[Rule]
    series: Sequence[Series]
    before: Decimal


class Choices:
    """Choices by bytes: a draw for all of them takes a tenth of the time of a draw for each.

    Hypothesis shrinks to zeros, and a zero chooses the first option.
    """

    def __init__(self, choice_bytes: bytes) -> None:
        self._bytes = iter(choice_bytes)

    def choose(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[next(self._bytes) % len(options)]

    def number(self, whole: int, places: int) -> Decimal:
        """Return a number, mostly one that needs all places, rarely a negative one."""
        size = (whole + places) // 2
        units = int.from_bytes(itertools.islice(self._bytes, size)) % 10 ** (whole + places)
        return Decimal(f"{'-' if self.choose(range(16)) == 15 else ''}{units}e-{places}")


@st.composite
def cases(draw: st.DrawFn, storable: bool = False) -> Case:
    """Draw up to sixteen rules, and up to two series of up to three points.

    :param storable: whether CloudKitty's tables in SQLite must be able to hold the rules: costs
        that are exact as binary floats, and thresholds without start and end
    """
    rule_bytes = draw(st.lists(CHOICE_BYTES, min_size=4, max_size=16))
    series_bytes = draw(st.lists(CHOICE_BYTES, min_size=1, max_size=2))
    choices = Choices(draw(CHOICE_BYTES))
    names = (None, *(choices.choose(LABELS) for _ in range(3)))
    before = choices.choose((Decimal(0), choices.number(3, 28)))
    rules: list[Rule] = []
    for rule_choices in rule_bytes:
        rule = _choose_rule(Choices(rule_choices), names, storable)
        if not any(clash(rule, member) for member in rules):
            rules.append(rule)
    return Case(rules, [_choose_series(Choices(part), rules) for part in series_bytes], before)


def _choose_rule(choices: Choices, names: Sequence[str | None], storable: bool) -> Rule:
    target = RuleTarget(choices.choose(METRICS), choices.choose(names))
    type_, group, scope = choices.choose(TYPES), choices.choose(GROUPS), choices.choose(SCOPES)
    threshold, level = choices.choose((False, True)), choices.choose(LEVELS)
    validity = choices.choose(VALIDITIES[:1] if storable and threshold else VALIDITIES)
    values = WORDS[:3] if target.label == "flavor" else NUMBERS[:5]
    value = choices.choose(CALENDAR.get(target.label or "") or (_choose_text(choices), *values))
    if storable:
        cost = Decimal(choices.choose(range(-4, 40))) / 4
    else:
        cost = choices.choose((choices.choose(COSTS), choices.number(12, 28)))
    terms = Terms(cost, type_, group, scope, *validity)
    if threshold:
        return ThresholdRule(target, level, terms)
    # A rule file has null for the text None.
    is_null = target.label is None or value == "None"
    return MappingRule(target, None if is_null else value, terms)


def _choose_text(choices: Choices) -> str:
    letters = "".join(choices.choose(LETTERS) for _ in range(choices.choose(range(4))))
    return choices.choose(
        (choices.choose(WORDS), choices.choose(NUMBERS), choices.choose(IRREGULAR_NUMBERS), letters)
    )


def clash(first: Rule, second: Rule) -> bool:
    """Return whether both have one identity and are in force at the same time."""
    return identity(first) == identity(second) and any(
        first.terms.in_force(begin) and second.terms.in_force(begin) for begin in BEGINS
    )


def identity(rule: Rule) -> tuple[object, ...]:
    """Return a rule's identity; a scope's own rule replaces one that differs only in the scope."""
    content = rule.level if isinstance(rule, ThresholdRule) else rule.value
    return rule.target, content, rule.terms.group, rule.terms.scope


def _choose_series(choices: Choices, rules: Sequence[Rule]) -> Series:
    scope, metric = choices.choose(("p1", "p1", "p2")), choices.choose(METRICS)
    groupby: dict[str, str | None] = {"id": "1"}
    metadata: dict[str, str | None] = {}
    for name in sorted({rule.target.label for rule in rules if rule.target.label}):
        near = tuple(_find_texts(name, rules))
        texts = choices.choose((near,) * 9 + (WORDS, NUMBERS, IRREGULAR_NUMBERS))
        text = choices.choose((choices.choose(texts),) * 15 + (None,))
        place = choices.choose(("metadata", "groupby") * 4 + ("both", "none"))
        if place in ("metadata", "both"):
            metadata[name] = text
        if place in ("groupby", "both"):
            groupby[name] = text
        if place == "both":
            metadata[name] = choices.choose(WORDS)
    quantities = (*QUANTITIES, *_find_quantities(rules))
    points = {}
    for _ in range(choices.choose((1, 2, 3))):
        quantity = choices.choose(quantities)
        points[choices.choose(BEGINS)] = quantity
    if choices.choose((False, True)):
        points[choices.choose(BEGINS)] = choices.number(6, 18)
    return Series(scope, metric, "unit", groupby, metadata, list(points.items()))


def _find_texts(name: str, rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        if rule.target.label != name:
            continue
        if isinstance(rule, ThresholdRule):
            yield from ("100", "1e3", f"{rule.level:f}", f"{rule.level:E}")
            yield from (f"{rule.level + STEP}", f"{rule.level - STEP}")
        elif rule.value is not None:
            yield from (rule.value, rule.value)


def _find_quantities(rules: Sequence[Rule]) -> Iterator[Decimal]:
    for rule in rules:
        if isinstance(rule, ThresholdRule):
            yield from (rule.level, rule.level, rule.level + STEP, rule.level - STEP)
