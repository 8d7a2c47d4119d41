"""What is told of a price is what was charged."""

import dataclasses
import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
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
from ratekit.rating.noop import Noop
from tests.fakes import FakeModule
from tests.unit.rating.test_hashmap_properties import a_series, in_force, mark, places, some_rules

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


def told(rules: Sequence[Rule], series: Series) -> tuple[GroupExplanation, ...]:
    explained = Hashmap().explain(RuleBook(1, tuple(rules)), series, Decimal(0))
    assert explained.groups is not None
    return explained.groups


def verdicts(rules: Sequence[Rule], series: Series) -> dict[Rule, str]:
    found = [one for group in told(rules, series) for one in group.matches]
    assert len({one.rule for one in found}) == len(found), "a rule is told twice"
    return {one.rule: one.verdict.name for one in found}


def singles(series: Series) -> list[Series]:
    return [dataclasses.replace(series, points=[point]) for point in series.points]


# Any rules and usages ---------------------------------------------------------------------


@given(some_rules(), a_series(), places(28, 3))
@settings(max_examples=60, deadline=None)
def test_the_groups_add_up_to_what_is_charged(
    rules: list[Rule], series: Series, before: Decimal
) -> None:
    book = RuleBook(1, tuple(rules))
    prices = Hashmap().compile(book)(series, [before] * len(series.points))
    for single, price in zip(singles(series), prices, strict=True):
        explained = Hashmap().explain(book, single, before)
        assert explained.price == price
        total = Fraction(before) + sum(Fraction(one.price) for one in told(rules, single))
        assert Fraction(explained.exact_price) == total
        assert Fraction(price) == Fraction(round(total * 10**28), 10**28)


@given(some_rules(), a_series())
@settings(max_examples=60, deadline=None)
def test_each_line_of_arithmetic_is_true(rules: list[Rule], series: Series) -> None:
    book = RuleBook(1, tuple(rules))
    for single in singles(series):
        explanation = PriceList([Hashmap()], book).explain(single)
        for line in price_breakdown.cell(explanation).text.splitlines():
            if "=" in line and ": " not in line.removeprefix("sum: "):
                left, right = re.sub("[a-z:]", "", line).split("=")
                assert evaluated(left) == Fraction(right.strip()), line


def evaluated(text: str) -> Fraction:
    """The value of a sum of products, the first factor of which may be a sum in brackets."""
    bracket = re.match(r"\s*\((.*?)\)(.*)", text)
    if bracket is not None:
        return evaluated(bracket[1]) * evaluated(f"1{bracket[2]}")
    total = Fraction(0)
    for product in text.split(" + "):
        value = Fraction(1)
        for factor in product.split("*"):
            value *= Fraction(factor.strip())
        total += value
    return total


@given(some_rules(), a_series())
@settings(max_examples=60, deadline=None)
def test_without_the_rules_that_do_not_count_the_price_is_the_same(
    rules: list[Rule], series: Series
) -> None:
    for single in singles(series):
        found = [one for group in told(rules, single) for one in group.matches]
        counting = [one.rule for one in found if one.verdict is RuleVerdict.COUNTS]
        assert price(counting, single) == price(rules, single)
        assert {one.rule for one in found} <= set(rules)


@given(some_rules(), a_series())
@settings(max_examples=60, deadline=None)
def test_a_rule_is_called_replaced_where_the_scope_has_one_in_its_place(
    rules: list[Rule], series: Series
) -> None:
    for single in singles(series):
        begin = single.points[0][0]
        effective = in_force(rules, single.scope, begin)
        for group in told(rules, single):
            for one in group.matches:
                replaced = one.verdict is RuleVerdict.REPLACED
                assert replaced == (one.rule not in effective), (mark(one.rule), one)


def price(rules: Sequence[Rule], series: Series) -> Decimal:
    [found] = Hashmap().compile(RuleBook(1, tuple(rules)))(series, [Decimal(0)])
    return found


# What became of each rule -------------------------------------------------------------------


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


def test_of_all_thresholds_reached_one_counts() -> None:
    low = ThresholdRule(VM, Decimal(1), terms("5"))
    high = ThresholdRule(VM, Decimal(4), terms("6"))
    unreached = ThresholdRule(VM, Decimal(5), terms("7"))
    field = ThresholdRule(VCPUS, Decimal(4), terms("8"))
    series = usage("4", vcpus="9")
    assert verdicts([low, high, unreached, field], series) == {
        low: "NOT_HIGHEST",
        high: "COUNTS",
        field: "NOT_HIGHEST",
    }
    [group] = told([low, high, unreached, field], series)
    assert (group.threshold, group.unit_price, group.price) == (high, Decimal(0), Decimal(6))


def test_a_scope_s_own_rules_replace_and_others_are_not_told() -> None:
    general = MappingRule(FLAVOR, "m1", terms("2"))
    own = MappingRule(FLAVOR, "m1", terms("1", scope="p1"))
    step, own_step = (
        ThresholdRule(VCPUS, Decimal(1), terms("3", scope=one)) for one in (None, "p1")
    )
    rules: list[Rule] = [
        general,
        own,
        step,
        own_step,
        MappingRule(VM, None, terms("9", scope="p2")),
    ]
    assert verdicts(rules, usage("1", flavor="m1", vcpus="1")) == {
        general: "REPLACED", own: "COUNTS", step: "REPLACED", own_step: "COUNTS",
    }  # fmt: skip
    assert verdicts(rules, usage("1", "p3", flavor="m1", vcpus="1")) == {
        general: "COUNTS", step: "COUNTS",
    }  # fmt: skip


def test_groups_come_by_name_and_only_those_in_which_a_rule_matches() -> None:
    rules: list[Rule] = [
        MappingRule(VM, None, terms("1", group="b")),
        MappingRule(VM, None, terms("1", group="a")),
        MappingRule(VM, None, terms("1")),
        ThresholdRule(VM, Decimal(100), terms("1", group="unreached")),
    ]
    assert [one.group for one in told(rules, usage("1"))] == [None, "a", "b"]


# All modules --------------------------------------------------------------------------------


def test_each_module_is_told_on_top_of_those_before() -> None:
    book = RuleBook(7, (MappingRule(VM, None, terms("2")),))
    explanation = PriceList([FakeModule(5), Hashmap(), Noop()], book).explain(usage("3"))
    assert [(one.module, int(one.before), int(one.price)) for one in explanation.modules] == [
        ("FakeModule", 0, 5),
        ("hashmap", 5, 11),
        ("noop", 11, 11),
    ]
    assert [one.groups and len(one.groups) for one in explanation.modules] == [None, 1, ()]
    assert (explanation.version, explanation.price) == (7, Decimal(11))


def test_a_service_without_rules_is_charged_what_it_was_before() -> None:
    explained = Hashmap().explain(RuleBook(1, ()), usage("3"), Decimal("0.5"))
    assert explained == ModuleExplanation("hashmap", Decimal("0.5"), (), Decimal("0.5"))


def test_points_are_explained_one_at_a_time() -> None:
    two = dataclasses.replace(usage("1"), points=[(BEGIN, Decimal(1))] * 2)
    with pytest.raises(ValueError, match="one point"):
        PriceList([Hashmap()], RuleBook(1, ())).explain(two)
