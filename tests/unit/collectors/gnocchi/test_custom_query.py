"""Custom queries, against Python's own arithmetic on fractions."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.collectors.gnocchi import custom_query

AGGREGATE = "(aggregate mean (metric cpu max))"
VALUES = st.decimals(-(10**9), 10**9, places=6, allow_nan=False)
NUMBERS = st.decimals(-(10**6), 10**6, places=4, allow_nan=False)


def converted(text: str, value: Decimal) -> Fraction:
    convert = custom_query.read(text).convert
    assert convert is not None
    return convert(value)


def test_the_aggregate_alone_changes_nothing() -> None:
    assert custom_query.read(AGGREGATE) == custom_query.Query("cpu", "max", "mean", None)


def test_what_is_asked_for_is_the_aggregate_inside() -> None:
    found = custom_query.read("(* 2 (aggregate rate:sum (metric network.in rate:95pct)))")
    assert (found.metric, found.aggregation_method, found.re_aggregation_method) == (
        "network.in", "rate:95pct", "rate:sum",
    )  # fmt: skip


def test_placeholders_are_replaced_in_cloudkittys_order() -> None:
    template = "(/ (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD)) 2)"
    filled = custom_query.fill(template, "rate:max", "last", "cpu")
    assert filled == "(/ (aggregate rate:max (metric cpu last)) 2)"


BINARY: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "add": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "sub": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "\u00d7": lambda a, b: a * b,
    "mul": lambda a, b: a * b,
    "max": max,
    "clip_min": max,
    "clip_max": min,
    "=": lambda a, b: Fraction(a == b),
    "==": lambda a, b: Fraction(a == b),
    "eq": lambda a, b: Fraction(a == b),
    "!=": lambda a, b: Fraction(a != b),
    "ne": lambda a, b: Fraction(a != b),
    "<": lambda a, b: Fraction(a < b),
    "lt": lambda a, b: Fraction(a < b),
    "<=": lambda a, b: Fraction(a <= b),
    "le": lambda a, b: Fraction(a <= b),
    ">": lambda a, b: Fraction(a > b),
    "gt": lambda a, b: Fraction(a > b),
    ">=": lambda a, b: Fraction(a >= b),
    "ge": lambda a, b: Fraction(a >= b),
}
DIVISIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "/": lambda a, b: a / b,
    "\u00f7": lambda a, b: a / b,
    "div": lambda a, b: a / b,
    "%": lambda a, b: a - b * math.floor(a / b),
    "mod": lambda a, b: a - b * math.floor(a / b),
}
UNARY: dict[str, Callable[[Fraction], Fraction]] = {
    "abs": abs,
    "absolute": abs,
    "neg": lambda a: -a,
    "negative": lambda a: -a,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
}


@given(st.sampled_from(sorted(BINARY)), VALUES, NUMBERS)
def test_two_values_are_put_together_exactly(name: str, value: Decimal, number: Decimal) -> None:
    a, b = Fraction(value), Fraction(number)
    assert converted(f"({name} {AGGREGATE} {number})", value) == BINARY[name](a, b)
    assert converted(f"({name} {number} {AGGREGATE})", value) == BINARY[name](b, a)


@given(st.sampled_from(sorted(DIVISIONS)), VALUES, NUMBERS.filter(bool))
def test_a_value_is_divided_exactly(name: str, value: Decimal, number: Decimal) -> None:
    expected = DIVISIONS[name](Fraction(value), Fraction(number))
    assert converted(f"({name} {AGGREGATE} {number})", value) == expected


@given(st.sampled_from(sorted(UNARY)), VALUES)
def test_one_value_is_changed_exactly(name: str, value: Decimal) -> None:
    assert converted(f"({name} {AGGREGATE})", value) == UNARY[name](Fraction(value))


@given(VALUES, st.integers(0, 8))
def test_a_power_is_exact(value: Decimal, exponent: int) -> None:
    for name in ("**", "^", "pow"):
        assert converted(f"({name} {AGGREGATE} {exponent})", value) == Fraction(value) ** exponent


@given(VALUES, NUMBERS, NUMBERS)
def test_a_value_is_clipped(value: Decimal, least: Decimal, most: Decimal) -> None:
    clipped = max(Fraction(value), Fraction(least))
    assert converted(f"(clip {AGGREGATE} {least})", value) == clipped
    assert converted(f"(clip {AGGREGATE} {least} {most})", value) == min(clipped, Fraction(most))


TREES = st.recursive(
    st.just((AGGREGATE, lambda value: value)),
    lambda inner: st.builds(
        lambda one, name, number, swapped: (
            (f"({name} {number} {one[0]})", lambda v: BINARY[name](Fraction(number), one[1](v)))
            if swapped
            else (
                f"({name} {one[0]} {number})", lambda v: BINARY[name](one[1](v), Fraction(number))
            )
        ),
        inner, st.sampled_from(sorted(BINARY)), NUMBERS, st.booleans(),
    ),
    max_leaves=6,
)  # fmt: skip


@given(TREES.filter(lambda tree: tree[0] != AGGREGATE), VALUES)
def test_operations_nest(tree: tuple[str, Callable[[Fraction], Fraction]], value: Decimal) -> None:
    text, expected = tree
    assert converted(text, value) == expected(Fraction(value))


def test_numbers_alone_are_worked_out_too() -> None:
    assert converted(f"(* {AGGREGATE} (/ 1 (* 60 60)))", Decimal(3)) == Fraction(1, 1200)


def test_a_number_is_decimal_and_not_binary() -> None:
    assert converted(f"(* {AGGREGATE} 0.1)", Decimal(3)) == Fraction(3, 10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one expression"),
        ("cpu", "not one expression"),
        (f"{AGGREGATE} {AGGREGATE}", "not one expression"),
        (f"(* 2 {AGGREGATE}", r"lacks a '\)'"),
        (f"(* 2 {AGGREGATE}))", r"'\)' too many"),
        ("()", "name no operation"),
        (f"({AGGREGATE} 2)", "name no operation"),
        (f"(* x {AGGREGATE})", "'x' where a number"),
        (f"(* nan {AGGREGATE})", "'nan' where a number"),
        (f"(* 1/2 {AGGREGATE})", "'1/2' where a number"),
        (f"(sin {AGGREGATE})", "the operation 'sin'; understood are"),
        (f"(rateofchange {AGGREGATE})", "the operation 'rateofchange'"),
        (f"(rolling mean 3 {AGGREGATE})", "the operation 'rolling'"),
        (f"(resample mean 60 {AGGREGATE})", "the operation 'resample'"),
        ("(metric cpu max)", "the operation 'metric'"),
        (f"(+ {AGGREGATE} {AGGREGATE})", "has 2 aggregates"),
        ("(+ 1 2)", "has 0 aggregates"),
        ("(aggregate mean (metric (cpu max) (mem max)))", "of another form"),
        ("(aggregate mean (+ 1 (metric cpu max)))", "of another form"),
        ("(aggregate mean)", "of another form"),
        ("(aggregate (mean) (metric cpu max))", "of another form"),
        (f"(+ {AGGREGATE})", "gives '\\+' 1 values; expected 2"),
        (f"(abs {AGGREGATE} 1)", "gives 'abs' 2 values; expected 1"),
        (f"(clip {AGGREGATE})", "expected 2 or 3"),
        (f"(/ {AGGREGATE} 0)", "a number other than 0"),
        (f"(/ 1 {AGGREGATE})", "a number other than 0"),
        (f"(% {AGGREGATE} (- 1 1))", "a number other than 0"),
        (f"(** {AGGREGATE} 0.5)", "a whole number up to 8"),
        (f"(** {AGGREGATE} -1)", "a whole number up to 8"),
        (f"(** {AGGREGATE} 9)", "a whole number up to 8"),
        (f"(** 2 {AGGREGATE})", "a whole number up to 8"),
        ("(" * 60 + ")" * 60, "parentheses deep"),
    ],
)
def test_what_is_not_understood_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        custom_query.read(text)
