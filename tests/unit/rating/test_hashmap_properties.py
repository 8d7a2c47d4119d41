"""The hashmap compared with an interpreter that follows doc/arithmetic.rst literally.

The interpreter has no tables, layers or formulas: it reads every rule for every point, and
computes in fractions.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.domain.exact import EXACT
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import Series, Shared
from ratekit.rating.hashmap import Hashmap

HOUR = datetime.timedelta(hours=1)
# A Saturday evening: a week starts at the next midnight, on the fourth day of the year.
BASE = datetime.datetime(2026, 1, 3, 21, tzinfo=datetime.UTC)
SCOPES = ("p1", "p2")
ALL_LABELS = ("flavor", "vcpus", "zone", "month", "day_of_the_year", "week_of_the_year", "year")
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
# A rule file has null for the text None.
VALUES = (None, *(text for text in TEXTS if text != "None"))
CALENDAR = ("1", "3", "4", "00", "01", "2026")


# The interpreter ------------------------------------------------------------------------


def number(label: str | None) -> Fraction | None:
    """Return the label as a plain decimal number."""
    if not label or set(label) - set("0123456789.+-eE"):
        return None
    try:
        return Fraction(label)
    except ValueError:
        return None


def value_or_level(rule: Rule) -> str | Decimal | None:
    return rule.level if isinstance(rule, ThresholdRule) else rule.value


def in_force(rules: Iterable[Rule], scope: str, begin: datetime.datetime) -> list[Rule]:
    candidates = [
        rule
        for rule in rules
        if rule.terms.scope in (None, scope)
        and (rule.terms.start is None or rule.terms.start <= begin)
        and (rule.terms.end is None or begin < rule.terms.end)
    ]
    scope_rules = {place(rule) for rule in candidates if rule.terms.scope is not None}
    return [
        rule
        for rule in candidates
        if rule.terms.scope is not None or place(rule) not in scope_rules
    ]


def place(rule: Rule) -> tuple[object, ...]:
    """Return what a scope's own rule and the general one that it replaces share."""
    return rule.target, value_or_level(rule), rule.terms.group


def has_value(label: str | None, value: str | None) -> bool:
    """Return whether a label that is there has a value; null and the text None are null."""
    return label == value or (value is None and label == "None")


def group_price(
    rules: Sequence[Rule],
    labels: dict[str, str | None],
    quantity: Fraction,
    whole: Fraction,
    share: Fraction,
) -> Fraction:
    flat, rate = Fraction(0), Fraction(1)
    matches: list[tuple[Fraction, ThresholdRule]] = []
    for rule in rules:
        cost = Fraction(rule.terms.cost)
        label = labels.get(rule.target.label) if rule.target.label is not None else None
        if isinstance(rule, ThresholdRule):
            size = whole if rule.target.label is None else number(label)
            if size is not None and Fraction(rule.level) <= size:
                matches.append((Fraction(rule.level), rule))
        elif rule.target.label is None or (
            rule.target.label in labels and has_value(label, rule.value)
        ):
            if rule.terms.type is CostType.FLAT:
                flat = max(flat, cost)
            else:
                rate *= cost
    if not matches:
        return flat * rate * quantity
    highest = max(level for level, _ in matches)
    first = min(
        (rule for level, rule in matches if level == highest),
        key=lambda rule: (rule.target.label is not None, rule.target.label or ""),
    )
    cost, is_flat = Fraction(first.terms.cost), first.terms.type is CostType.FLAT
    if first.target.label is not None:
        return (flat + cost) * rate * quantity if is_flat else flat * rate * cost * quantity
    price = flat * rate * quantity
    return price + cost * share if is_flat else price * cost


def interpret(rules: Sequence[Rule], series: Series, before: Sequence[Decimal]) -> list[Fraction]:
    prices = []
    for (begin, quantity), price_before in zip(series.points, before, strict=True):
        labels = {**series.metadata, **series.groupby}
        labels["year"], labels["month"] = begin.strftime("%Y"), begin.strftime("%-m")
        labels["day_of_the_year"] = begin.strftime("%-j")
        labels["week_of_the_year"] = begin.strftime("%U")
        current = in_force(rules, series.scope, begin)
        total = Fraction(price_before)
        for group in {rule.terms.group for rule in current}:
            members = [rule for rule in current if rule.terms.group == group]
            whole, share = series.shared.get(begin, (quantity, 1))
            total += group_price(members, labels, *map(Fraction, (quantity, whole, share)))
        # round() of a Fraction is exact and half-even.
        prices.append(Fraction(round(total * 10**28), 10**28))
    return prices


# Random rules and usages ----------------------------------------------------------------


def decimals(digits: int, whole: int) -> st.SearchStrategy[Decimal]:
    large = 10 ** (digits + whole)
    return st.integers(-large, large).map(lambda units: Decimal(f"{units}e-{digits}"))


COSTS = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "1", "-2", "0.5", "3", "1e-28", "0.1")]),
    decimals(28, 12),
)
LEVELS = st.sampled_from([Decimal(text) for text in ("0", "1", "1.0", "2", "2.5", "3", "10")])
QUANTITIES = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "1", "2", "2.5", "0.5", "-1")]),
    decimals(18, 6),
)
BOUNDS = st.one_of(st.none(), st.integers(-2, 8).map(lambda hours: BASE + hours * HOUR))


@st.composite
def rule_lists(draw: st.DrawFn) -> list[Rule]:
    rules: list[Rule] = []
    names = [None, *draw(st.lists(st.sampled_from(ALL_LABELS), min_size=1, max_size=3))]
    for _ in range(draw(st.integers(0, 12))):
        terms = Terms(
            cost=draw(COSTS),
            type=draw(st.sampled_from(CostType)),
            group=draw(st.sampled_from([None, "a"])),
            scope=draw(st.sampled_from([None, "p1"])),
            start=draw(BOUNDS),
            end=draw(BOUNDS),
        )
        target = RuleTarget("instance", draw(st.sampled_from(names)))
        rule: Rule
        if draw(st.booleans()):
            rule = ThresholdRule(target, draw(LEVELS), terms)
        else:
            values = VALUES if target.label in LABELS else CALENDAR
            value = draw(st.sampled_from(values)) if target.label is not None else None
            rule = MappingRule(target, value, terms)
        if not any(clash(rule, member) for member in rules):
            rules.append(rule)
    return rules


def clash(first: Rule, second: Rule) -> bool:
    """Return whether both have one identity and are in force at the same time."""
    identities = {(*place(rule), rule.terms.scope) for rule in (first, second)}
    return len(identities) == 1 and any(
        first.terms.in_force(BASE + n * HOUR) and second.terms.in_force(BASE + n * HOUR)
        for n in range(-3, 10)
    )


LABEL_SETS = st.dictionaries(
    st.sampled_from(LABELS), st.one_of(st.none(), st.sampled_from(TEXTS)), max_size=3
)


@st.composite
def random_series(draw: st.DrawFn) -> Series:
    hours = draw(st.lists(st.integers(-2, 8), min_size=1, max_size=4, unique=True))
    shared = st.none() | st.builds(Shared, QUANTITIES, st.decimals(0, 1, places=18))
    records = {BASE + n * HOUR: draw(shared) for n in hours}
    return Series(
        scope=draw(st.sampled_from(SCOPES)),
        metric="instance",
        unit="instance",
        groupby=draw(LABEL_SETS),
        metadata=draw(LABEL_SETS),
        points=[(BASE + n * HOUR, draw(QUANTITIES)) for n in hours],
        shared={begin: record for begin, record in records.items() if record is not None},
    )


def price(rules: Sequence[Rule], series: Series, before: Sequence[Decimal]) -> list[Decimal]:
    return list(Hashmap().compile(RuleBook(1, tuple(rules)))(series, before))


def zeros(series: Series) -> list[Decimal]:
    return [Decimal(0)] * len(series.points)


# Properties -----------------------------------------------------------------------------


@given(rule_lists(), st.lists(random_series(), min_size=1, max_size=8), decimals(28, 3))
@settings(max_examples=80, deadline=None)
def test_prices_are_those_of_the_interpreter(
    rules: list[Rule], usages: list[Series], price_before: Decimal
) -> None:
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    for series in usages:
        before = [price_before] * len(series.points)
        prices = pricer(series, before)
        assert [Fraction(total) for total in prices] == interpret(rules, series, before)
        assert all(total.as_tuple().exponent == -28 for total in prices)


@given(rule_lists(), random_series(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rules_changes_nothing(
    rules: list[Rule], series: Series, random: Random
) -> None:
    shuffled = random.sample(rules, len(rules))
    assert price(shuffled, series, zeros(series)) == price(rules, series, zeros(series))


@given(rule_lists(), random_series())
@settings(max_examples=20, deadline=None)
def test_rules_of_other_metrics_and_scopes_change_nothing(
    rules: list[Rule], series: Series
) -> None:
    other_rules: list[Rule] = []
    for rule in rules:
        target = dataclasses.replace(rule.target, metric="volume")
        other_rules.append(dataclasses.replace(rule, target=target))
        terms = dataclasses.replace(rule.terms, scope="another scope")
        other_rules.append(dataclasses.replace(rule, terms=terms))
    prices = price([*rules, *other_rules], series, zeros(series))
    assert prices == price(rules, series, zeros(series))


def with_costs(rules: Iterable[Rule], flat: int = 1) -> list[Rule]:
    """Return the rules with small whole costs, so that no price needs rounding."""
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


@given(rule_lists(), random_series(), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_without_thresholds_the_price_grows_with_the_quantity(
    rules: list[Rule], series: Series, factor: int
) -> None:
    mappings = with_costs(rule for rule in rules if isinstance(rule, MappingRule))
    multiplied_usage = dataclasses.replace(
        series, points=[(begin, quantity * factor) for begin, quantity in series.points]
    )
    single = price(mappings, series, zeros(series))
    multiplied = price(mappings, multiplied_usage, zeros(series))
    assert [Fraction(total) for total in multiplied] == [
        factor * Fraction(total) for total in single
    ]


@st.composite
def divided_series(draw: st.DrawFn) -> tuple[Series, list[Series]]:
    """Return usages, and the shares into which each of them is divided."""
    series = dataclasses.replace(draw(random_series()), shared={})
    cuts = sorted(draw(st.lists(st.integers(0, 10**18), min_size=1, max_size=4)))
    shares = [
        Decimal(end - begin).scaleb(-18)
        for begin, end in zip([0, *cuts], [*cuts, 10**18], strict=True)
    ]
    parts = [
        dataclasses.replace(
            series,
            points=[(begin, EXACT.multiply(each, share)) for begin, each in series.points],
            shared={begin: Shared(quantity, share) for begin, quantity in series.points},
        )
        for share in shares
    ]
    return series, parts


@given(rule_lists(), divided_series())
@settings(max_examples=60, deadline=None)
def test_shares_cost_together_what_the_whole_costs(
    rules: list[Rule], divided: tuple[Series, list[Series]]
) -> None:
    """Each is rounded by itself, so they may differ by half a unit of the last place each."""
    series, parts = divided
    costs = with_costs(rules)
    totals = [Fraction(0)] * len(series.points)
    for part in parts:
        prices = price(costs, part, zeros(part))
        totals = [total + Fraction(each) for total, each in zip(totals, prices, strict=True)]
    wholes = price(costs, series, zeros(series))
    for total, whole in zip(totals, wholes, strict=True):
        assert abs(total - Fraction(whole)) <= Fraction(len(parts) + 1, 2 * 10**28)


@given(rule_lists(), random_series(), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_scaling_all_flat_costs_scales_the_price(
    rules: list[Rule], series: Series, factor: int
) -> None:
    single = price(with_costs(rules), series, zeros(series))
    scaled = price(with_costs(rules, flat=factor), series, zeros(series))
    assert [Fraction(total) for total in scaled] == [factor * Fraction(total) for total in single]
