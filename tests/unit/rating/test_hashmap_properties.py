"""The hashmap against an interpreter that reads the design's section 6 word by word.

The interpreter knows nothing of tables, layers or formulas: it looks at every rule for every
point, in fractions.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import Series
from ratekit.rating.hashmap import Hashmap

HOUR = datetime.timedelta(hours=1)
# A Saturday evening: the next midnight begins a week, and the year is four days old.
BASE = datetime.datetime(2026, 1, 3, 21, tzinfo=datetime.UTC)
SCOPES = ("p1", "p2")
FIELDS = ("flavor", "vcpus", "zone", "month", "day_of_the_year", "week_of_the_year", "year")
LABELS = ("flavor", "vcpus", "zone")
# Two spellings of one accented letter, and an Arabic three.
TEXTS = (
    "",
    "m1",
    "\u00e9",
    "e\u0301",
    "\u0663",
    "1",
    "2",
    "2.5",
    "-1",
    "1e1",
    "NaN",
    " 2 ",
    "None",
)
CALENDAR = ("1", "3", "4", "00", "01", "2026")


# The interpreter ------------------------------------------------------------------------


def number(label: str | None) -> Fraction | None:
    """The label as a plain decimal number."""
    if not label or set(label) - set("0123456789.+-eE"):
        return None
    try:
        return Fraction(label)
    except ValueError:
        return None


def mark(rule: Rule) -> str | Decimal | None:
    return rule.level if isinstance(rule, ThresholdRule) else rule.value


def in_force(rules: Iterable[Rule], scope: str, begin: datetime.datetime) -> list[Rule]:
    found = [
        rule
        for rule in rules
        if rule.terms.scope in (None, scope)
        and (rule.terms.start is None or rule.terms.start <= begin)
        and (rule.terms.end is None or begin < rule.terms.end)
    ]
    own = {(r.target, mark(r), r.terms.group) for r in found if r.terms.scope is not None}
    return [
        rule
        for rule in found
        if rule.terms.scope is not None or (rule.target, mark(rule), rule.terms.group) not in own
    ]


def group_price(
    rules: Sequence[Rule], labels: dict[str, str | None], quantity: Fraction
) -> Fraction:
    flat, rate = Fraction(0), Fraction(1)
    reached: list[tuple[Fraction, ThresholdRule]] = []
    for rule in rules:
        cost = Fraction(rule.terms.cost)
        label = labels.get(rule.target.label) if rule.target.label is not None else None
        if isinstance(rule, ThresholdRule):
            compared = quantity if rule.target.label is None else number(label)
            if compared is not None and Fraction(rule.level) <= compared:
                reached.append((Fraction(rule.level), rule))
        elif rule.target.label is None or (label is not None and label == rule.value):
            if rule.terms.type is CostType.FLAT:
                flat = max(flat, cost)
            else:
                rate *= cost
    if not reached:
        return flat * rate * quantity
    highest = max(level for level, _ in reached)
    first = min(
        (rule for level, rule in reached if level == highest),
        key=lambda rule: (rule.target.label is not None, rule.target.label or ""),
    )
    cost, is_flat = Fraction(first.terms.cost), first.terms.type is CostType.FLAT
    if first.target.label is not None:
        return (flat + cost) * rate * quantity if is_flat else flat * rate * cost * quantity
    price = flat * rate * quantity
    return price + cost if is_flat else price * cost


def naive(rules: Sequence[Rule], series: Series, before: Sequence[Decimal]) -> list[Fraction]:
    prices = []
    for (begin, quantity), charged in zip(series.points, before, strict=True):
        labels = {**series.metadata, **series.groupby}
        labels["year"], labels["month"] = begin.strftime("%Y"), begin.strftime("%-m")
        labels["day_of_the_year"] = begin.strftime("%-j")
        labels["week_of_the_year"] = begin.strftime("%U")
        current = in_force(rules, series.scope, begin)
        total = Fraction(charged)
        for group in {rule.terms.group for rule in current}:
            own = [rule for rule in current if rule.terms.group == group]
            total += group_price(own, labels, Fraction(quantity))
        # round() of a Fraction is exact and half-even.
        prices.append(Fraction(round(total * 10**28), 10**28))
    return prices


# Random rules and usages ----------------------------------------------------------------


def places(digits: int, whole: int) -> st.SearchStrategy[Decimal]:
    large = 10 ** (digits + whole)
    return st.integers(-large, large).map(lambda units: Decimal(f"{units}e-{digits}"))


COSTS = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "1", "-2", "0.5", "3", "1e-28", "0.1")]),
    places(28, 12),
)
LEVELS = st.sampled_from([Decimal(text) for text in ("0", "1", "1.0", "2", "2.5", "3", "10")])
QUANTITIES = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "1", "2", "2.5", "0.5", "-1")]),
    places(18, 6),
)
BOUNDS = st.one_of(st.none(), st.integers(-2, 8).map(lambda hours: BASE + hours * HOUR))


@st.composite
def some_rules(draw: st.DrawFn) -> list[Rule]:
    kept: list[Rule] = []
    fields = [None, *draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3))]
    for _ in range(draw(st.integers(0, 12))):
        terms = Terms(
            cost=draw(COSTS),
            type=draw(st.sampled_from(CostType)),
            group=draw(st.sampled_from([None, "a"])),
            scope=draw(st.sampled_from([None, "p1"])),
            start=draw(BOUNDS),
            end=draw(BOUNDS),
        )
        target = RuleTarget("instance", draw(st.sampled_from(fields)))
        rule: Rule
        if draw(st.booleans()):
            rule = ThresholdRule(target, draw(LEVELS), terms)
        else:
            texts = TEXTS if target.label in LABELS else CALENDAR
            value = draw(st.sampled_from(texts)) if target.label is not None else None
            rule = MappingRule(target, value, terms)
        if not any(clash(rule, other) for other in kept):
            kept.append(rule)
    return kept


def clash(one: Rule, other: Rule) -> bool:
    """Whether both could be in force at once for the same."""
    same = (one.target, mark(one), one.terms.group, one.terms.scope) == (
        (other.target, mark(other), other.terms.group, other.terms.scope)
    )
    return same and any(
        one.terms.in_force(BASE + n * HOUR) and other.terms.in_force(BASE + n * HOUR)
        for n in range(-3, 10)
    )


LABEL_SETS = st.dictionaries(
    st.sampled_from(LABELS), st.one_of(st.none(), st.sampled_from(TEXTS)), max_size=3
)


@st.composite
def a_series(draw: st.DrawFn) -> Series:
    hours = draw(st.lists(st.integers(-2, 8), min_size=1, max_size=4, unique=True))
    return Series(
        scope=draw(st.sampled_from(SCOPES)),
        metric="instance",
        unit="instance",
        groupby=draw(LABEL_SETS),
        metadata=draw(LABEL_SETS),
        points=[(BASE + n * HOUR, draw(QUANTITIES)) for n in hours],
    )


def price(rules: Sequence[Rule], series: Series, before: Sequence[Decimal]) -> list[Decimal]:
    return list(Hashmap().compile(RuleBook(1, tuple(rules)))(series, before))


def nothing(series: Series) -> list[Decimal]:
    return [Decimal(0)] * len(series.points)


# Properties -----------------------------------------------------------------------------


@given(some_rules(), st.lists(a_series(), min_size=1, max_size=3), places(28, 3))
@settings(max_examples=80, deadline=None)
def test_prices_are_those_of_the_design(
    rules: list[Rule], usages: list[Series], charged: Decimal
) -> None:
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    for series in usages:
        before = [charged] * len(series.points)
        found = pricer(series, before)
        assert [Fraction(one) for one in found] == naive(rules, series, before)
        assert all(one.as_tuple().exponent == -28 for one in found)


@given(some_rules(), a_series(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rules_changes_nothing(
    rules: list[Rule], series: Series, random: Random
) -> None:
    shuffled = random.sample(rules, len(rules))
    assert price(shuffled, series, nothing(series)) == price(rules, series, nothing(series))


@given(some_rules(), a_series())
@settings(max_examples=20, deadline=None)
def test_rules_of_other_services_and_scopes_change_nothing(
    rules: list[Rule], series: Series
) -> None:
    others: list[Rule] = []
    for rule in rules:
        elsewhere = dataclasses.replace(rule.target, metric="volume")
        others.append(dataclasses.replace(rule, target=elsewhere))
        terms = dataclasses.replace(rule.terms, scope="somebody else")
        others.append(dataclasses.replace(rule, terms=terms))
    found = price([*rules, *others], series, nothing(series))
    assert found == price(rules, series, nothing(series))


def with_costs(rules: Iterable[Rule], flat: int = 1) -> list[Rule]:
    """The rules with small whole costs, so that no price needs rounding."""
    return [
        dataclasses.replace(
            rule,
            terms=dataclasses.replace(
                rule.terms,
                cost=Decimal((index - 3) * (flat if rule.terms.type is CostType.FLAT else 1)),
            ),
        )
        for index, rule in enumerate(rules)
    ]


@given(some_rules(), a_series(), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_without_thresholds_the_price_grows_with_the_quantity(
    rules: list[Rule], series: Series, factor: int
) -> None:
    mappings = with_costs(rule for rule in rules if isinstance(rule, MappingRule))
    more = dataclasses.replace(
        series, points=[(begin, quantity * factor) for begin, quantity in series.points]
    )
    single = price(mappings, series, nothing(series))
    grown = price(mappings, more, nothing(series))
    assert [Fraction(one) for one in grown] == [factor * Fraction(one) for one in single]


@given(some_rules(), a_series(), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_scaling_all_flat_costs_scales_the_price(
    rules: list[Rule], series: Series, factor: int
) -> None:
    single = price(with_costs(rules), series, nothing(series))
    scaled = price(with_costs(rules, flat=factor), series, nothing(series))
    assert [Fraction(one) for one in scaled] == [factor * Fraction(one) for one in single]
