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


def convert(text: str, value: Decimal) -> Fraction:
    function = custom_query.read(text).convert
    assert function is not None
    return function(value)


def test_the_aggregate_alone_changes_nothing() -> None:
    assert custom_query.read(AGGREGATE) == custom_query.Aggregation("cpu", "max", "mean", None)


@pytest.mark.parametrize(
    ("query", "decides"),
    [
        (AGGREGATE, False),
        (f"(* 2 (+ 1 {AGGREGATE}))", False),
        (f"(- (/ {AGGREGATE} 4) 1)", False),
        (f"(floor {AGGREGATE})", False),
        (f"(max 0 {AGGREGATE})", True),
        (f"(* 2 (clip_min {AGGREGATE} 0))", True),
        (f"(* {AGGREGATE} (> {AGGREGATE} 0))", True),
        (f"(neg {AGGREGATE})", True),
    ],
)
def test_a_query_that_compares_decides_about_negative_steps(query: str, decides: bool) -> None:
    assert custom_query.read(query).decides_on_steps == decides


def test_the_documented_query_against_negative_steps_counts_growth_only() -> None:
    aggregate = "(aggregate rate:max (metric cpu max))"
    aggregation = custom_query.read(f"(div (+ {aggregate} (abs {aggregate})) 2)")
    assert aggregation.decides_on_steps
    assert aggregation.convert is not None
    assert [aggregation.convert(Decimal(step)) for step in (-40, 0, 30)] == [0, 0, 30]


def test_the_aggregate_inside_is_read() -> None:
    aggregation = custom_query.read("(* 2 (aggregate rate:sum (metric network.in rate:95pct)))")
    assert (
        aggregation.metric, aggregation.aggregation_method, aggregation.re_aggregation_method,
    ) == (
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
    assert convert(f"({name} {AGGREGATE} {number})", value) == BINARY[name](a, b)
    assert convert(f"({name} {number} {AGGREGATE})", value) == BINARY[name](b, a)


@given(st.sampled_from(sorted(DIVISIONS)), VALUES, NUMBERS.filter(bool))
def test_a_value_is_divided_exactly(name: str, value: Decimal, number: Decimal) -> None:
    expected = DIVISIONS[name](Fraction(value), Fraction(number))
    assert convert(f"({name} {AGGREGATE} {number})", value) == expected


@given(st.sampled_from(sorted(UNARY)), VALUES)
def test_one_value_is_changed_exactly(name: str, value: Decimal) -> None:
    assert convert(f"({name} {AGGREGATE})", value) == UNARY[name](Fraction(value))


@given(VALUES, st.integers(0, 8))
def test_a_power_is_exact(value: Decimal, exponent: int) -> None:
    for name in ("**", "^", "pow"):
        assert convert(f"({name} {AGGREGATE} {exponent})", value) == Fraction(value) ** exponent


@given(VALUES, NUMBERS, NUMBERS)
def test_a_value_is_clipped(value: Decimal, lower: Decimal, upper: Decimal) -> None:
    at_least = max(Fraction(value), Fraction(lower))
    assert convert(f"(clip {AGGREGATE} {lower})", value) == at_least
    assert convert(f"(clip {AGGREGATE} {lower} {upper})", value) == min(at_least, Fraction(upper))


TREES = st.recursive(
    st.just((AGGREGATE, lambda value: value)),
    lambda inner: st.builds(
        lambda tree, name, number, swapped: (
            (f"({name} {number} {tree[0]})", lambda v: BINARY[name](Fraction(number), tree[1](v)))
            if swapped
            else (
                f"({name} {tree[0]} {number})", lambda v: BINARY[name](tree[1](v), Fraction(number))
            )
        ),
        inner, st.sampled_from(sorted(BINARY)), NUMBERS, st.booleans(),
    ),
    max_leaves=6,
)  # fmt: skip


@given(TREES.filter(lambda tree: tree[0] != AGGREGATE), VALUES)
def test_operations_nest(tree: tuple[str, Callable[[Fraction], Fraction]], value: Decimal) -> None:
    text, expected = tree
    assert convert(text, value) == expected(Fraction(value))


def test_numbers_alone_are_worked_out_too() -> None:
    assert convert(f"(* {AGGREGATE} (/ 1 (* 60 60)))", Decimal(3)) == Fraction(1, 1200)


def test_a_number_is_decimal_and_not_binary() -> None:
    assert convert(f"(* {AGGREGATE} 0.1)", Decimal(3)) == Fraction(3, 10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one expression"),
        ("cpu", "not one expression"),
        (f"{AGGREGATE} {AGGREGATE}", "not one expression"),
        (f"(* 2 {AGGREGATE}", r"unmatched '\('"),
        (f"(* 2 {AGGREGATE}))", r"unmatched '\)'"),
        ("()", "without an operation"),
        (f"({AGGREGATE} 2)", "without an operation"),
        (f"(* x {AGGREGATE})", "'x' where a number"),
        (f"(* nan {AGGREGATE})", "'nan' where a number"),
        (f"(* 1/2 {AGGREGATE})", "'1/2' where a number"),
        (f"(sin {AGGREGATE})", "the unknown operation 'sin'; supported are"),
        (f"(rateofchange {AGGREGATE})", "the unknown operation 'rateofchange'"),
        (f"(rolling mean 3 {AGGREGATE})", "the unknown operation 'rolling'"),
        (f"(resample mean 60 {AGGREGATE})", "the unknown operation 'resample'"),
        ("(metric cpu max)", "the unknown operation 'metric'"),
        (
            f"(+ {AGGREGATE} (aggregate mean (metric cpu min)))",
            "has different aggregates; expected the same metric and methods each time",
        ),
        ("(+ 1 2)", "has no aggregate; expected one"),
        ("(aggregate mean (metric (cpu max) (mem max)))", "of the wrong form"),
        ("(aggregate mean (+ 1 (metric cpu max)))", "of the wrong form"),
        ("(aggregate mean)", "of the wrong form"),
        ("(aggregate (mean) (metric cpu max))", "of the wrong form"),
        (f"(+ {AGGREGATE})", "has 1 values for '\\+'; expected 2"),
        (f"(abs {AGGREGATE} 1)", "has 2 values for 'abs'; expected 1"),
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
def test_what_is_not_supported_is_named(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        custom_query.read(text)
