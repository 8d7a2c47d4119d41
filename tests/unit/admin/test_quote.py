"""The price of a described usage."""

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

PRICE_LIST = PriceList([Hashmap()], BOOK)


def quote_usage(
    quantity: str = "1",
    begin: datetime.datetime = NOON,
    step: datetime.timedelta = HOUR,
    **labels: str,
) -> quote.Quote:
    period = Period(begin, begin + step)
    return quote.quote(PRICE_LIST, period, "vm", Decimal(quantity), labels)


def quote_for_scope(scope: str, labels: dict[str, str]) -> quote.Quote:
    period = Period(NOON, NOON + HOUR)
    return quote.quote(PRICE_LIST, period, "vm", Decimal(1), labels, scope)


def price(usage_quote: quote.Quote) -> str:
    return f"{usage_quote.explanation.price.normalize():f}"


def test_a_price_is_by_the_rules_of_the_period() -> None:
    assert price(quote_usage("3", flavor="m1")) == "0.3"
    assert price(quote_usage("3", flavor="m1", zone="a")) == "0.3"
    assert price(quote_usage("3", NOON - HOUR, flavor="m1", zone="a")) == "0.9"
    assert price(
        quote_usage("3", datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC), flavor="m1")
    ) == ("0.6")
    assert price(quote_usage("3")) == "0"


def test_the_rules_of_a_scope_apply_to_this_scope_only() -> None:
    assert price(quote_for_scope("p1", {"flavor": "m1"})) == "0.07"
    assert price(quote_for_scope("p3", {"flavor": "m1"})) == "0.1"


def test_a_longer_time_multiplies_the_price_and_not_the_quantity() -> None:
    usage_quote = quote_usage("9", flavor="m1")
    assert price(usage_quote) == "0.9"
    assert [usage_quote.over(length) for length in (quote.HOUR, quote.DAY, quote.MONTH)] == [
        Decimal("0.9"), Decimal("21.6"), Decimal(648),
    ]  # fmt: skip


def test_the_price_of_an_hour_is_rounded_only_if_its_digits_do_not_end() -> None:
    minutes = datetime.timedelta(minutes=1)
    assert quote_usage(flavor="m1", step=90 * minutes).over(HOUR) == Decimal(f"0.0{'6' * 26}7")
    assert quote_usage("3", flavor="m1", step=90 * minutes).over(HOUR) == Decimal("0.2")
    assert quote_usage("1e-18", flavor="m1", step=2 * HOUR).over(HOUR) == Decimal("5e-20")


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**5), st.integers(1, 10**7), st.booleans())
def test_it_is_exact_or_rounded_half_even_once(
    units: int, step: int, length: int, small: bool
) -> None:
    period_price = Decimal(units).scaleb(-28 if small else -2)
    usage_quote = dataclasses.replace(
        quote_usage(step=datetime.timedelta(seconds=step)),
        explanation=Explanation(1, (), period_price),
    )
    result = Fraction(usage_quote.over(datetime.timedelta(seconds=length)))
    exact_price = Fraction(period_price) * length / step
    if exact.terminating_decimal(exact_price) is None:
        assert result == Fraction(round(exact_price * 10**28), 10**28)
    else:
        assert result == exact_price


# Mistakes -----------------------------------------------------------------------------------


def hints(
    label_names: dict[str, set[str]], scope: str = quote.NO_SCOPE, **labels: str
) -> list[str]:
    return list(quote.hints(quote_for_scope(scope, labels), labels, BOOK, label_names))


def test_a_label_that_no_rule_looks_at_is_a_hint_with_the_nearest_name() -> None:
    label_names = {"vm": {"flavor", "zone"}}
    assert hints(label_names, flavour="m1") == [
        "vm has no label 'flavour' (did you mean 'flavor'?)",
        "rules of vm also look at these labels: flavor",
    ]
    assert hints({}, flavour="m1")[0] == (
        "no rule of vm looks at 'flavour' (did you mean 'flavor'?)"
    )
    assert hints(label_names, flavor="m1", zone="a") == ["no rule of vm looks at 'zone'"]
    assert hints(label_names, flavor="m1", month="2") == [
        "month is ignored: its value comes from the period"
    ]
    assert hints(label_names, flavor="m1") == []


def test_a_value_that_no_rule_looks_for_is_a_hint_with_the_nearest_value() -> None:
    label_names = {"vm": {"flavor"}}
    assert hints(label_names, flavor="m") == ["no rule looks for flavor=m (did you mean 'm1'?)"]
    assert hints(label_names, flavor="huge") == ["no rule looks for flavor=huge"]
    level = ThresholdRule(FLAVOR, Decimal(1), Terms(Decimal(1), CostType.FLAT))
    usage_quote = quote_for_scope(quote.NO_SCOPE, {"flavor": "8"})
    both = RuleBook(1, (*BOOK.rules, level))
    assert list(quote.hints(usage_quote, {"flavor": "8"}, both, label_names)) == []


def test_a_service_with_rules_but_without_a_metric_is_a_hint() -> None:
    assert hints({"vms": set()}, flavor="m1") == [
        "no metric of metrics.yml is called 'vm' (did you mean 'vms'?)"
    ]


def test_labels_of_the_rules_of_a_scope_are_a_hint_for_this_scope_only() -> None:
    assert hints({}, "p2", flavor="m1") == ["rules of vm also look at these labels: rack"]


def test_a_service_is_a_metric_or_has_rules() -> None:
    quote.require_metric("vm", BOOK, ())
    quote.require_metric("volume", BOOK, {"volume"})
    with pytest.raises(errors.OperatorError, match="did you mean 'volume'"):
        quote.require_metric("volum", BOOK, {"volume"})
    with pytest.raises(errors.OperatorError, match="known metrics: vm, volume"):
        quote.require_metric("x", BOOK, {"volume"})


def test_a_scope_may_have_rules_before_it_is_rated() -> None:
    assert quote.scope_id("p1", BOOK, ()) == "p1"
    with pytest.raises(errors.OperatorError, match="no scope 'p9'"):
        quote.scope_id("p9", BOOK, ())


def test_an_existing_scope_takes_precedence_over_the_scope_of_a_rule() -> None:
    assert quote.scope_id("p1", BOOK, [state("a1", "p1")]) == "a1"
    assert quote.scope_id("p1", BOOK, [state("a1", "p1"), state("p1", "x")]) == "p1"
    with pytest.raises(errors.OperatorError, match="2 scopes are named 'p1'"):
        quote.scope_id("p1", BOOK, [state("a1", "p1"), state("a2", "p1")])


def state(id_: str, name: str) -> StateRow:
    return StateRow(id_, name, NOON, True, 0, None, None, NOON, "static", "gnocchi", "project_id")


@pytest.mark.parametrize("year", [1, 9999])
def test_a_period_beyond_the_calendar_is_an_error(year: int) -> None:
    calendar = Calendar(datetime.timedelta(days=5000), 2)
    instant = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    with pytest.raises(errors.OperatorError, match="is too far in the past or future"):
        quote.period_of(calendar, instant)


@given(
    st.decimals(0, 10**6, places=18),
    st.lists(st.integers(1, 10**6), min_size=2, max_size=5),
)
def test_the_shares_of_a_period_cost_together_what_the_period_costs(
    quantity: Decimal, lengths: list[int]
) -> None:
    """Quantities and shares are rounded to 18 places each, and no cost is above 1 here."""
    whole = quote.quote(PRICE_LIST, Period(NOON, NOON + HOUR), "vm", quantity, {"flavor": "m1"})
    parts = [
        quote.quote(
            PRICE_LIST,
            Period(NOON, NOON + HOUR),
            "vm",
            quantity,
            {"flavor": "m1"},
            share=Fraction(length, sum(lengths)),
        )
        for length in lengths
    ]
    total = sum(Fraction(part.explanation.price) for part in parts)
    assert abs(total - Fraction(whole.explanation.price)) <= Fraction(len(parts), 10**18)


@pytest.mark.parametrize(("text", "number"), [("1.50", "1.5"), ("0", "0"), ("1e3", "1000")])
def test_a_quantity_is_read_exactly(text: str, number: str) -> None:
    assert quote.read_quantity("--qty", text) == Decimal(number)


@pytest.mark.parametrize("text", ["1e-19", "-3", "-0.1", "three", "1e999999999", "NaN"])
def test_a_quantity_has_at_most_the_digits_that_are_stored_and_no_sign(text: str) -> None:
    with pytest.raises(errors.OperatorError) as error:
        quote.read_quantity("--qty", text)
    assert str(error.value) == (
        "--qty: expected a decimal number of at least 0, with at most 47 digits before and 18 "
        f"after the decimal point, not {text!r}"
    )
