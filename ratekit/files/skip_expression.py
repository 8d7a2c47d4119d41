"""Expressions that select the rated points not to store: CloudKitty's, without its ``eval``.

An expression reads one rated point as ``datapoint``, a dictionary as in CloudKitty, and is true
if the point is to be skipped. simpleeval evaluates its syntax tree; this module makes the
numbers exact and rejects everything that is not allowed before the expression runs.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import simpleeval

from ratekit import errors
from ratekit.domain import decimal_limits
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric

#: The name of the rated point in an expression.
NAME = "datapoint"
_MAX_LENGTH = 1000
#: Size of the numerator and the denominator of each result: 30,000 digits.
_MAX_BITS = 100_000
_ATTRIBUTES: Mapping[type, frozenset[str]] = {
    dict: frozenset({"get", "keys", "values", "items"}),
    str: frozenset({
        "startswith", "endswith", "lower", "upper", "strip", "lstrip", "rstrip", "split",
        "removeprefix", "removesuffix", "isdigit",
    }),
}  # fmt: skip
_METHODS = frozenset().union(*_ATTRIBUTES.values())
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    # CloudKitty makes a binary number here; this stays decimal.
    "float": decimal_limits.read,
    "int": int,
    "str": str,
    "len": len,
}
_NAMES = frozenset({NAME, *_FUNCTIONS})


def _exact_operator(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return an operator on numbers without rounding."""

    def calculate(first: Any, second: Any) -> Any:
        for value in (first, second):
            if not isinstance(value, int | Decimal | Fraction):
                raise TypeError(f"{value!r} is not a number")
        result: Fraction = apply(Fraction(first), Fraction(second))
        if max(result.numerator.bit_length(), result.denominator.bit_length()) > _MAX_BITS:
            raise ValueError("a result has too many digits")
        return result

    return calculate


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _exact_operator(operator.add),
    ast.Sub: _exact_operator(operator.sub),
    ast.Mult: _exact_operator(operator.mul),
    ast.Div: _exact_operator(operator.truediv),
    ast.FloorDiv: _exact_operator(operator.floordiv),
    ast.Mod: _exact_operator(operator.mod),
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
    ast.Not: operator.not_,
    # Not operator.neg, which rounds a Decimal.
    ast.USub: lambda value: -Fraction(value) if isinstance(value, Decimal) else -value,
    ast.UAdd: lambda value: value,
    ast.In: lambda value, container: value in container,
    ast.NotIn: lambda value, container: value not in container,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare, ast.IfExp,
    ast.Call, ast.Constant, ast.Attribute, ast.Subscript, ast.Name, ast.Load, ast.List,
    ast.Tuple, ast.Dict, *_OPERATORS,
)  # fmt: skip


class _AnyLabels(dict[str, str]):
    """Labels of a sample: every label exists and is empty, because names depend on the cloud."""

    def __missing__(self, name: str) -> str:
        return ""

    def get(self, name: str, default: Any = "") -> Any:
        """Return the expression's own default."""
        return default


_ALLOWED = {**_ATTRIBUTES, _AnyLabels: _ATTRIBUTES[dict]}
#: Errors that the sample's empty labels cause, and the labels of resources need not.
_SAMPLE_ERRORS = (ValueError, ArithmeticError, IndexError)


def apply_default(metrics: Iterable[Metric], text: str) -> list[Metric]:
    """Return the metrics, with an expression for each that has none of its own.

    :param text: the expression; empty or ``False``: skip nothing
    :raises ValueError: as :func:`compile_skip`
    """
    if text.strip().lower() in ("", "false"):
        return list(metrics)
    compile_skip("any metric", text)  # checked even if no metric needs it
    return [
        metric
        if metric.skip is not None
        else dataclasses.replace(metric, skip=compile_skip(metric.public_name, text))
        for metric in metrics
    ]


def compile_skip(metric: str, text: str) -> Callable[[Series, Decimal, Decimal], bool]:
    """Return the predicate of an expression: (series, quantity, price) -> skip the point.

    The predicate raises ratekit.errors.OperatorError where the expression fails on a point, or
    its result is neither true nor false.

    :param metric: public name, for messages
    :raises ValueError: the expression is invalid or not allowed, in words for an operator
    """
    tree = _parse(text.strip())
    evaluator = simpleeval.EvalWithCompoundTypes(
        dict(_OPERATORS), dict(_FUNCTIONS), {}, dict(_ALLOWED)
    )

    def evaluate(datapoint: Mapping[str, object]) -> bool:
        evaluator.names = {NAME: datapoint}
        result = evaluator.eval(text, previously_parsed=tree)
        if result and result is not True:
            # Such as a quantity: most are not 0, so that hardly any point would be stored.
            raise TypeError(f"expected true or false as the result, not {result!s:.50}")
        return bool(result)

    for number in (Decimal(0), Decimal(1)):
        _test_on_sample(evaluate, _datapoint(_AnyLabels(), _AnyLabels(), "", number, number))

    def skip(series: Series, quantity: Decimal, price: Decimal) -> bool:
        point = _datapoint(
            dict(series.groupby), dict(series.metadata), series.unit, quantity, price
        )
        try:
            return evaluate(point)
        except Exception as error:
            raise errors.OperatorError(
                f"{metric}: skip_datapoints_expression {text!r} fails on a data point: "
                f"{_describe_error(error)}"
            ) from error

    return skip


def _datapoint(
    groupby: Mapping[str, str | None],
    metadata: Mapping[str, str | None],
    unit: str,
    quantity: Decimal,
    price: Decimal,
) -> dict[str, object]:
    """Return CloudKitty's dictionary of a rated point."""
    return {
        "vol": {"unit": unit, "qty": quantity},
        "rating": {"price": price},
        "groupby": groupby,
        "metadata": metadata,
    }


def _parse(text: str) -> ast.expr:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"expected at most {_MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"is not a valid expression: {_describe_error(error)}") from error
    for node in ast.walk(tree):
        _require_allowed(node)
        if isinstance(node, ast.Constant):
            node.value = _constant(node, text)
    return tree.body


def _require_allowed(node: ast.AST) -> None:
    if not isinstance(node, _NODES):
        raise ValueError(f"contains {type(node).__name__}, which is not supported")
    if isinstance(node, ast.Name) and node.id not in _NAMES:
        hint = errors.suggestion(node.id, _NAMES)
        raise ValueError(f"unknown name {node.id!r}{hint}; the rated point is named {NAME}")
    if isinstance(node, ast.Attribute) and node.attr not in _METHODS:
        names = ", ".join(sorted(_METHODS))
        raise ValueError(f".{node.attr} is not allowed; the allowed methods are {names}")


def _constant(node: ast.Constant, text: str) -> Any:
    """Return the value of a constant; a number is the decimal number as it is written."""
    if isinstance(node.value, float):
        return decimal_limits.read(ast.get_source_segment(text, node) or "")
    if node.value is not None and not isinstance(node.value, int | str):
        raise ValueError(f"contains {node.value!r}; expected a number or a string")
    return node.value


def _test_on_sample(
    evaluate: Callable[[Mapping[str, object]], bool], sample: Mapping[str, object]
) -> None:
    try:
        evaluate(sample)
    except _SAMPLE_ERRORS:
        return
    except Exception as error:
        raise ValueError(f"fails on a sample data point: {_describe_error(error)}") from error


def _describe_error(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"missing key {error}"
    return " ".join(str(error).split()) or type(error).__name__
