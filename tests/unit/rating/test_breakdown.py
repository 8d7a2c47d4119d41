"""The explanation of a price is the arithmetic that priced."""

import dataclasses
import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings

from ratekit.cmd.output import price_breakdown
from ratekit.domain.rules.explanation import GroupExplanation, ModuleExplanation, RuleVerdict
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
from ratekit.pricing.price_list import PriceList
from ratekit.rating.hashmap import Hashmap
from tests.unit.rating.test_hashmap_properties import (
    decimals,
    in_force,
    random_series,
    rule_lists,
)

BEGIN = datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC)
VM = RuleTarget("vm")
FLAVOR = RuleTarget("vm", "flavor")
VCPUS = RuleTarget("vm", "vcpus")


def terms(
    cost: str, kind: str = "flat", group: str | None = None, scope: str | None = None
) -> Terms:
    return Terms(Decimal(cost), CostType(kind), group, scope)


def usage(quantity: str, scope: str = "p1", **labels: str) -> Series:
    return Series(scope, "vm", "instance", labels, {}, [(BEGIN, Decimal(quantity))])


def explain(rules: Sequence[Rule], series: Series) -> tuple[GroupExplanation, ...]:
    explanation = Hashmap().explain(RuleBook(1, tuple(rules)), series, Decimal(0))
    assert explanation.groups is not None
    return explanation.groups


def verdicts(rules: Sequence[Rule], series: Series) -> dict[Rule, str]:
    matches = [match for group in explain(rules, series) for match in group.matches]
    assert len({match.rule for match in matches}) == len(matches), "a rule is explained twice"
    return {match.rule: match.verdict.name for match in matches}


def split_points(series: Series) -> list[Series]:
    return [dataclasses.replace(series, points=[point]) for point in series.points]


# Any rules and usages ---------------------------------------------------------------------


@given(rule_lists(), random_series(), decimals(28, 3))
@settings(max_examples=60, deadline=None)
def test_the_prices_of_the_groups_add_up_to_the_price(
    rules: list[Rule], series: Series, before: Decimal
) -> None:
    book = RuleBook(1, tuple(rules))
    prices = Hashmap().compile(book)(series, [before] * len(series.points))
    for single, price in zip(split_points(series), prices, strict=True):
        explanation = Hashmap().explain(book, single, before)
        assert explanation.price == price
        total = Fraction(before) + sum(Fraction(group.price) for group in explain(rules, single))
        assert Fraction(explanation.exact_price) == total
        assert Fraction(price) == Fraction(round(total * 10**28), 10**28)


@given(rule_lists(), random_series())
@settings(max_examples=60, deadline=None)
def test_each_line_of_arithmetic_is_true(rules: list[Rule], series: Series) -> None:
    book = RuleBook(1, tuple(rules))
    for single in split_points(series):
        explanation = PriceList([Hashmap()], book).explain(single)
        for line in price_breakdown.cell(explanation).text.splitlines():
            if "=" in line and ": " not in line.removeprefix("sum: "):
                sum_text, total_text = re.sub("[a-z:]", "", line).split("=")
                assert evaluate(sum_text) == Fraction(total_text.strip()), line


def evaluate(text: str) -> Fraction:
    """Return the value of a sum of products; its first factor may be a sum in parentheses."""
    bracket = re.match(r"\s*\((.*?)\)(.*)", text)
    if bracket is not None:
        return evaluate(bracket[1]) * evaluate(f"1{bracket[2]}")
    total = Fraction(0)
    for product in text.split(" + "):
        value = Fraction(1)
        for factor in product.split("*"):
            value *= Fraction(factor.strip())
        total += value
    return total


@given(rule_lists(), random_series())
@settings(max_examples=60, deadline=None)
def test_without_the_rules_that_do_not_count_the_price_is_the_same(
    rules: list[Rule], series: Series
) -> None:
    for single in split_points(series):
        matches = [match for group in explain(rules, single) for match in group.matches]
        counting = [match.rule for match in matches if match.verdict is RuleVerdict.COUNTS]
        assert price(counting, single) == price(rules, single)
        assert {match.rule for match in matches} <= set(rules)


@given(rule_lists(), random_series())
@settings(max_examples=60, deadline=None)
def test_a_rule_is_replaced_if_and_only_if_the_scope_has_its_own(
    rules: list[Rule], series: Series
) -> None:
    for single in split_points(series):
        begin = single.points[0][0]
        effective = in_force(rules, single.scope, begin)
        for group in explain(rules, single):
            for match in group.matches:
                is_replaced = match.verdict is RuleVerdict.REPLACED
                assert is_replaced == (match.rule not in effective), match


def price(rules: Sequence[Rule], series: Series) -> Decimal:
    [total] = Hashmap().compile(RuleBook(1, tuple(rules)))(series, [Decimal(0)])
    return total


# Verdicts ----------------------------------------------------------------------------------


def test_the_largest_flat_cost_counts_once() -> None:
    small = MappingRule(VM, None, terms("1"))
    large = MappingRule(FLAVOR, "m1", terms("2"))
    equal = MappingRule(VCPUS, "4", terms("2"))
    free = MappingRule(RuleTarget("vm", "zone"), "a", terms("0"))
    assert verdicts([small, large, equal, free], usage("3", flavor="m1", vcpus="4", zone="a")) == {
        small: "NOT_LARGEST",
        large: "COUNTS",
        equal: "NOT_LARGEST",
        free: "NOTHING",
    }


def test_of_all_matching_thresholds_one_counts() -> None:
    low = ThresholdRule(VM, Decimal(1), terms("5"))
    high = ThresholdRule(VM, Decimal(4), terms("6"))
    too_high = ThresholdRule(VM, Decimal(5), terms("7"))
    on_label = ThresholdRule(VCPUS, Decimal(4), terms("8"))
    series = usage("4", vcpus="9")
    assert verdicts([low, high, too_high, on_label], series) == {
        low: "NOT_HIGHEST",
        high: "COUNTS",
        on_label: "NOT_HIGHEST",
    }
    [group] = explain([low, high, too_high, on_label], series)
    assert (group.threshold, group.unit_price, group.price) == (high, Decimal(0), Decimal(6))


def test_a_scope_s_own_rules_replace_general_ones_and_others_do_not_match() -> None:
    general = MappingRule(FLAVOR, "m1", terms("2"))
    scope_rule = MappingRule(FLAVOR, "m1", terms("1", scope="p1"))
    step, scope_step = (
        ThresholdRule(VCPUS, Decimal(1), terms("3", scope=scope)) for scope in (None, "p1")
    )
    rules: list[Rule] = [
        general,
        scope_rule,
        step,
        scope_step,
        MappingRule(VM, None, terms("9", scope="p2")),
    ]
    assert verdicts(rules, usage("1", flavor="m1", vcpus="1")) == {
        general: "REPLACED", scope_rule: "COUNTS", step: "REPLACED", scope_step: "COUNTS",
    }  # fmt: skip
    assert verdicts(rules, usage("1", "p3", flavor="m1", vcpus="1")) == {
        general: "COUNTS", step: "COUNTS",
    }  # fmt: skip


def test_groups_come_by_name_and_only_those_in_which_a_rule_matches() -> None:
    rules: list[Rule] = [
        MappingRule(VM, None, terms("1", group="b")),
        MappingRule(VM, None, terms("1", group="a")),
        MappingRule(VM, None, terms("1")),
        ThresholdRule(VM, Decimal(100), terms("1", group="too high")),
    ]
    assert [group.group for group in explain(rules, usage("1"))] == [None, "a", "b"]


# No rules -----------------------------------------------------------------------------------


def test_a_metric_without_rules_keeps_its_price() -> None:
    explanation = Hashmap().explain(RuleBook(1, ()), usage("3"), Decimal("0.5"))
    assert explanation == ModuleExplanation("hashmap", Decimal("0.5"), (), Decimal("0.5"))
