"""What a described usage would cost."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.admin import quote
from ratekit.domain import exact
from ratekit.domain.period import Period
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.schedule.calendar import Calendar
from ratekit.pricing.price_list import PriceList
from ratekit.rating.hashmap import Hashmap

HOUR = datetime.timedelta(hours=1)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
FLAVOR = RuleTarget("vm", "flavor")
BOOK = RuleBook(
    1,
    (
        MappingRule(FLAVOR, "m1", Terms(Decimal("0.1"), CostType.FLAT)),
        MappingRule(FLAVOR, "m1", Terms(Decimal("0.07"), CostType.FLAT, scope="p1")),
        ThresholdRule(RuleTarget("vm"), Decimal(10), Terms(Decimal("0.5"), CostType.RATE)),
        MappingRule(RuleTarget("vm", "month"), "2", Terms(Decimal(2), CostType.RATE)),
        MappingRule(RuleTarget("vm", "zone"), "a", Terms(Decimal(3), CostType.RATE, end=NOON)),
        MappingRule(RuleTarget("vm", "rack"), "a", Terms(Decimal(3), CostType.RATE, scope="p2")),
    ),
)


def quoted(
    quantity: str = "1",
    begin: datetime.datetime = NOON,
    step: datetime.timedelta = HOUR,
    **labels: str,
) -> quote.Quote:
    period = Period(begin, begin + step)
    return quote.quote(PriceList([Hashmap()], BOOK), period, "vm", Decimal(quantity), labels)


def quoted_for(scope: str, labels: dict[str, str]) -> quote.Quote:
    period = Period(NOON, NOON + HOUR)
    return quote.quote(PriceList([Hashmap()], BOOK), period, "vm", Decimal(1), labels, scope)


def price(one: quote.Quote) -> str:
    return f"{one.explanation.price.normalize():f}"


def test_it_is_what_the_rules_of_that_period_charge() -> None:
    assert price(quoted("3", flavor="m1")) == "0.3"
    assert price(quoted("3", flavor="m1", zone="a")) == "0.3"
    assert price(quoted("3", NOON - HOUR, flavor="m1", zone="a")) == "0.9"
    assert price(quoted("3", datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC), flavor="m1")) == (
        "0.6"
    )
    assert price(quoted("3")) == "0"


def test_a_scope_s_own_rules_count_for_it_alone() -> None:
    assert price(quoted_for("p1", {"flavor": "m1"})) == "0.07"
    assert price(quoted_for("p3", {"flavor": "m1"})) == "0.1"


def test_longer_times_multiply_the_price_and_not_the_quantity() -> None:
    one = quoted("9", flavor="m1")
    assert price(one) == "0.9"
    assert [one.over(length) for length in (quote.HOUR, quote.DAY, quote.MONTH)] == [
        Decimal("0.9"), Decimal("21.6"), Decimal(648),
    ]  # fmt: skip


def test_an_hour_of_a_longer_period_is_rounded_only_where_it_has_no_end() -> None:
    minutes = datetime.timedelta(minutes=1)
    assert quoted(flavor="m1", step=90 * minutes).over(HOUR) == Decimal(f"0.0{'6' * 26}7")
    assert quoted("3", flavor="m1", step=90 * minutes).over(HOUR) == Decimal("0.2")
    assert quoted("1e-18", flavor="m1", step=2 * HOUR).over(HOUR) == Decimal("5e-20")


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**5), st.integers(1, 10**7), st.booleans())
def test_it_is_exact_or_rounded_half_even_once(
    units: int, step: int, length: int, small: bool
) -> None:
    charged = Decimal(units).scaleb(-28 if small else -2)
    one = quoted(step=datetime.timedelta(seconds=step))
    one = dataclasses.replace(one, explanation=Explanation(1, (), charged))
    found = Fraction(one.over(datetime.timedelta(seconds=length)))
    true = Fraction(charged) * length / step
    if exact.terminating_decimal(true) is None:
        assert found == Fraction(round(true * 10**28), 10**28)
    else:
        assert found == true


# Mistakes -----------------------------------------------------------------------------------


def hints(known: dict[str, set[str]], scope: str = quote.NO_SCOPE, **labels: str) -> list[str]:
    one = quoted_for(scope, labels)
    return list(quote.hints(one, labels, BOOK, known))


def test_labels_that_nothing_looks_at_are_told_with_the_nearest() -> None:
    known = {"vm": {"flavor", "zone"}}
    assert hints(known, flavour="m1") == [
        "vm has no label 'flavour' (did you mean 'flavor'?)",
        "rules of vm also look at these labels: flavor",
    ]
    assert hints({}, flavour="m1")[0] == (
        "no rule of vm looks at 'flavour' (did you mean 'flavor'?)"
    )
    assert hints(known, flavor="m1", zone="a") == ["no rule of vm looks at 'zone'"]
    assert hints(known, flavor="m1", month="2") == [
        "month is ignored: its value comes from the period"
    ]
    assert hints(known, flavor="m1") == []


def test_a_value_that_no_rule_looks_for_is_told_with_the_nearest() -> None:
    known = {"vm": {"flavor"}}
    assert hints(known, flavor="m") == ["no rule looks for flavor=m (did you mean 'm1'?)"]
    assert hints(known, flavor="huge") == ["no rule looks for flavor=huge"]
    level = ThresholdRule(FLAVOR, Decimal(1), Terms(Decimal(1), CostType.FLAT))
    one = quoted_for(quote.NO_SCOPE, {"flavor": "8"})
    both = RuleBook(1, (*BOOK.rules, level))
    assert list(quote.hints(one, {"flavor": "8"}, both, known)) == []


def test_a_service_that_has_rules_and_is_no_metric_is_told() -> None:
    assert hints({"vms": set()}, flavor="m1") == [
        "no metric of metrics.yml is called 'vm' (did you mean 'vms'?)"
    ]


def test_what_only_the_scope_s_own_rules_look_at_is_asked_of_it_alone() -> None:
    assert hints({}, "p2", flavor="m1") == [
        "rules of vm also look at these labels: rack"
    ]


def test_a_service_is_a_metric_or_has_rules() -> None:
    quote.require_service("vm", BOOK, ())
    quote.require_service("volume", BOOK, {"volume"})
    with pytest.raises(errors.OperatorError, match="did you mean 'volume'"):
        quote.require_service("volum", BOOK, {"volume"})
    with pytest.raises(errors.OperatorError, match="known services: vm, volume"):
        quote.require_service("x", BOOK, {"volume"})


def test_a_scope_may_have_rules_before_it_is_rated() -> None:
    assert quote.scope_id("p1", BOOK, ()) == "p1"
    with pytest.raises(errors.OperatorError, match="no scope 'p9'"):
        quote.scope_id("p9", BOOK, ())


def test_a_scope_that_is_known_comes_before_a_word_of_a_rule() -> None:
    assert quote.scope_id("p1", BOOK, [state("a1", "p1")]) == "a1"
    assert quote.scope_id("p1", BOOK, [state("a1", "p1"), state("p1", "x")]) == "p1"
    with pytest.raises(errors.OperatorError, match="2 scopes are named 'p1'"):
        quote.scope_id("p1", BOOK, [state("a1", "p1"), state("a2", "p1")])


def state(id_: str, name: str) -> StateRow:
    return StateRow(id_, name, NOON, True, 0, None, None, NOON, "static", "gnocchi")


@pytest.mark.parametrize("year", [1, 9999])
def test_time_has_two_ends(year: int) -> None:
    calendar = Calendar(datetime.timedelta(days=5000), 2)
    moment = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    with pytest.raises(errors.OperatorError, match="is too far in the past or future"):
        quote.period_of(calendar, moment)
