"""Random rule sets and usages that meet: labels and quantities lie on and beside the rules'."""

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
# A Saturday evening: the next midnight begins a week, and the year is four days old.
BASE = datetime.datetime(2026, 1, 3, 21, tzinfo=datetime.UTC)
#: Begins of periods; rules change then, too.
BEGINS = tuple(BASE + n * HOUR for n in range(8))

CALENDAR = {
    "year": ("2026", "2025"),
    "month": ("1", "01"),
    "day_of_the_year": ("3", "4"),
    "week_of_the_year": ("00", "01"),
}
SERVICES = ("instance",) * 12 + ("volume",)
FIELDS = ("vcpus", "flavor", "größe") * 4 + tuple(CALENDAR)
TYPES = (CostType.FLAT, CostType.RATE, CostType.FLAT)
GROUPS = (None,) * 14 + ("a",) * 6 + ("größe",) * 3 + ("_DEFAULT_",)
SCOPES = (None,) * 6 + ("p1", "p1", "p1", "p2")
#: Plain words, and two spellings of one accented letter.
WORDS = ("m1.small", "M1.small", "\u00e9", "e\u0301", "小型", "None", "")
NUMBERS = ("0", "1", "2", "2.5", "-1", "+3", "04", "1e1", "10.", ".5", "1e-8", "1e999")
#: Numbers to CloudKitty, or what it stumbles over.
ODD_NUMBERS = (" 2 ", "1_0", "Infinity", "-inf", "NaN", "\u0663", "1e1000", "3\n")
LETTERS = "aA0.-+e _\u00df\u0130\u0301\u200b\U0001f408"
_STARTS: tuple[datetime.datetime | None, ...] = (None, *BEGINS)
_ENDS: tuple[datetime.datetime | None, ...] = (*BEGINS, None)
VALIDITIES = ((None, None),) * 240 + tuple(itertools.product(_STARTS, _ENDS))

LEVELS = tuple(Decimal(one) for one in ("2", "1", "0", "2.0", "2.5", "10", "1", "1e-8", "1e2"))
COSTS = tuple(Decimal(one) for one in ("1", "0", "0.5", "3", "1.1", "2", "7", "-2", "1e-28"))
QUANTITIES = tuple(Decimal(one) for one in ("1", "2", "0", "2.5", "0.5", "10", "-1", "4"))
#: The last place of a quantity.
STEP = Decimal("1e-18")

T = TypeVar("T")
#: Enough for the choices of one rule, and of one series.
SPELT = st.binary(min_size=48, max_size=48)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A rule set, and usages to price by it.

    :ivar before: what each usage costs already
    """

    rules: Sequence[Rule]
    series: Sequence[Series]
    before: Decimal


class Choices:
    """Choices spelt by bytes: one draw for all takes a tenth of the time of a draw for each.

    Zeros, to which hypothesis shrinks, choose what comes first.
    """

    def __init__(self, spelt: bytes) -> None:
        self._bytes = iter(spelt)

    def of(self, options: Sequence[T]) -> T:
        """Choose one."""
        return options[next(self._bytes) % len(options)]

    def number(self, whole: int, places: int) -> Decimal:
        """Choose a number, mostly one that needs all places, seldom a negative one."""
        size = (whole + places) // 2
        units = int.from_bytes(itertools.islice(self._bytes, size)) % 10 ** (whole + places)
        return Decimal(f"{'-' if self.of(range(16)) == 15 else ''}{units}e-{places}")


@st.composite
def cases(draw: st.DrawFn, storable: bool = False) -> Case:
    """Up to sixteen rules, and up to two series of up to three points.

    :param storable: whether CloudKitty's tables in SQLite must be able to hold the rules: costs
        that a binary float is exact for, and thresholds that are valid for ever
    """
    spelt_rules = draw(st.lists(SPELT, min_size=4, max_size=16))
    spelt_series = draw(st.lists(SPELT, min_size=1, max_size=2))
    choices = Choices(draw(SPELT))
    fields = (None, *(choices.of(FIELDS) for _ in range(3)))
    before = choices.of((Decimal(0), choices.number(3, 28)))
    rules: list[Rule] = []
    for spelt in spelt_rules:
        rule = _rule(Choices(spelt), fields, storable)
        if not any(clash(rule, other) for other in rules):
            rules.append(rule)
    return Case(rules, [_series(Choices(spelt), rules) for spelt in spelt_series], before)


def _rule(choices: Choices, fields: Sequence[str | None], storable: bool) -> Rule:
    target = RuleTarget(choices.of(SERVICES), choices.of(fields))
    type_, group, scope = choices.of(TYPES), choices.of(GROUPS), choices.of(SCOPES)
    threshold, level = choices.of((False, True)), choices.of(LEVELS)
    validity = choices.of(VALIDITIES[:1] if storable and threshold else VALIDITIES)
    usual = WORDS[:3] if target.label == "flavor" else NUMBERS[:5]
    value = choices.of(CALENDAR.get(target.label or "") or (_text(choices), *usual))
    if storable:
        cost = Decimal(choices.of(range(-4, 40))) / 4
    else:
        cost = choices.of((choices.of(COSTS), choices.number(12, 28)))
    terms = Terms(cost, type_, group, scope, *validity)
    if threshold:
        return ThresholdRule(target, level, terms)
    return MappingRule(target, None if target.label is None else value, terms)


def _text(choices: Choices) -> str:
    letters = "".join(choices.of(LETTERS) for _ in range(choices.of(range(4))))
    return choices.of((choices.of(WORDS), choices.of(NUMBERS), choices.of(ODD_NUMBERS), letters))


def clash(one: Rule, other: Rule) -> bool:
    """Whether both could be in force at once for the same."""
    return same(one) == same(other) and any(
        one.terms.in_force(begin) and other.terms.in_force(begin) for begin in BEGINS
    )


def same(rule: Rule) -> tuple[object, ...]:
    """What a rule is for; a scope's own replaces the general one that differs in scope only."""
    mark = rule.level if isinstance(rule, ThresholdRule) else rule.value
    return rule.target, mark, rule.terms.group, rule.terms.scope


def _series(choices: Choices, rules: Sequence[Rule]) -> Series:
    scope, metric = choices.of(("p1", "p1", "p2")), choices.of(SERVICES)
    groupby: dict[str, str | None] = {"id": "1"}
    metadata: dict[str, str | None] = {}
    for field in sorted({rule.target.label for rule in rules if rule.target.label}):
        near = tuple(_labels(field, rules))
        label = choices.of((near,) * 9 + (WORDS, NUMBERS, ODD_NUMBERS))
        chosen = choices.of((choices.of(label),) * 15 + (None,))
        place = choices.of(("metadata", "groupby") * 4 + ("both", "none"))
        if place in ("metadata", "both"):
            metadata[field] = chosen
        if place in ("groupby", "both"):
            groupby[field] = chosen
        if place == "both":
            metadata[field] = choices.of(WORDS)
    near_quantities = (*QUANTITIES, *_quantities(rules))
    points = {}
    for _ in range(choices.of((1, 2, 3))):
        near_one = choices.of(near_quantities)
        points[choices.of(BEGINS)] = near_one
    if choices.of((False, True)):
        points[choices.of(BEGINS)] = choices.number(6, 18)
    return Series(scope, metric, "unit", groupby, metadata, list(points.items()))


def _labels(field: str, rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        if rule.target.label != field:
            continue
        if isinstance(rule, ThresholdRule):
            yield from ("100", "1e3", f"{rule.level:f}", f"{rule.level:E}")
            yield from (f"{rule.level + STEP}", f"{rule.level - STEP}")
        elif rule.value is not None:
            yield from (rule.value, rule.value)


def _quantities(rules: Sequence[Rule]) -> Iterator[Decimal]:
    for rule in rules:
        if isinstance(rule, ThresholdRule):
            yield from (rule.level, rule.level, rule.level + STEP, rule.level - STEP)
