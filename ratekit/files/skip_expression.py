"""Expressions that say which rated points are not stored: CloudKitty's, without its ``eval``.

An expression sees one rated point as ``datapoint``, the dictionary that CloudKitty makes of it,
and is true for a point that is to be skipped. simpleeval walks its syntax tree; here numbers
are made exact, and all it may not do is refused before it runs.
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
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric

#: The one name there is.
NAME = "datapoint"
_LONGEST = 1000
_ATTRIBUTES: Mapping[type, frozenset[str]] = {
    dict: frozenset({"get", "keys", "values", "items"}),
    str: frozenset({
        "startswith", "endswith", "lower", "upper", "strip", "lstrip", "rstrip", "split",
        "removeprefix", "removesuffix", "isdigit",
    }),
}  # fmt: skip
_METHODS = frozenset().union(*_ATTRIBUTES.values())
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    # What CloudKitty makes binary stays decimal.
    "float": lambda value: Decimal(value),
    "int": int,
    "str": str,
    "len": len,
}
_KNOWN = frozenset({NAME, *_FUNCTIONS})


def _exactly(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic on numbers, without rounding."""

    def applied(one: Any, other: Any) -> Any:
        for value in (one, other):
            if not isinstance(value, int | Decimal | Fraction):
                raise TypeError(f"{value!r} is no number")
        return apply(Fraction(one), Fraction(other))

    return applied


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _exactly(operator.add),
    ast.Sub: _exactly(operator.sub),
    ast.Mult: _exactly(operator.mul),
    ast.Div: _exactly(operator.truediv),
    ast.FloorDiv: _exactly(operator.floordiv),
    ast.Mod: _exactly(operator.mod),
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
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare, ast.IfExp,
    ast.Call, ast.Constant, ast.Attribute, ast.Subscript, ast.Name, ast.Load, ast.List,
    ast.Tuple, ast.Dict, *_OPERATORS,
)  # fmt: skip


class _AnyLabels(dict[str, str]):
    """Labels of a sample: each is empty, since which there are depends on the cloud."""

    def __missing__(self, name: str) -> str:
        return ""

    def get(self, name: str, default: Any = "") -> Any:
        """Return what the expression makes of a label that is not there."""
        return default


_ALLOWED = {**_ATTRIBUTES, _AnyLabels: _ATTRIBUTES[dict]}
#: What goes wrong with the sample's empty labels, and not with those that resources have.
_FAULTS_OF_THE_SAMPLE = (ValueError, ArithmeticError, IndexError)


def by_default(metrics: Iterable[Metric], text: str) -> list[Metric]:
    """Return metrics that go by an expression unless they have one of their own.

    :param text: ``False`` and nothing skip nothing
    :raises ValueError: as :func:`compile_skip`
    """
    if text.strip().lower() in ("", "false"):
        return list(metrics)
    compile_skip("any metric", text)  # also where all have their own
    return [
        one
        if one.skip is not None
        else dataclasses.replace(one, skip=compile_skip(one.public_name, text))
        for one in metrics
    ]


def compile_skip(metric: str, text: str) -> Callable[[Series, Decimal, Decimal], bool]:
    """Return the predicate of an expression: (series, quantity, price) -> not to be stored.

    The predicate raises ratekit.errors.OperatorError where the expression fails on a point, or
    is neither true nor false of it.

    :param metric: public name, for messages
    :raises ValueError: it is no expression, or does what it may not, in words for an operator
    """
    tree = _parsed(text.strip())
    evaluator = simpleeval.EvalWithCompoundTypes(
        dict(_OPERATORS), dict(_FUNCTIONS), {}, dict(_ALLOWED)
    )

    def evaluated(datapoint: Mapping[str, object]) -> bool:
        evaluator.names = {NAME: datapoint}
        result = evaluator.eval(text, previously_parsed=tree)
        if result and result is not True:
            # A quantity, say: most are not 0, and none would be stored.
            raise TypeError(f"it yields {result!s:.50}, neither true nor false")
        return bool(result)

    for number in (Decimal(0), Decimal(1)):
        _try(evaluated, _datapoint(_AnyLabels(), _AnyLabels(), "", number, number))

    def skip(series: Series, quantity: Decimal, price: Decimal) -> bool:
        point = _datapoint(
            dict(series.groupby), dict(series.metadata), series.unit, quantity, price
        )
        try:
            return evaluated(point)
        except Exception as error:
            raise errors.OperatorError(
                f"{metric}: skip_datapoints_expression {text!r} fails on a data point: "
                f"{_explained(error)}"
            ) from error

    return skip


def _datapoint(
    groupby: Mapping[str, str | None],
    metadata: Mapping[str, str | None],
    unit: str,
    quantity: Decimal,
    price: Decimal,
) -> dict[str, object]:
    """CloudKitty's dictionary of a rated point."""
    return {
        "vol": {"unit": unit, "qty": quantity},
        "rating": {"price": price},
        "groupby": groupby,
        "metadata": metadata,
    }


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ValueError(f"expected at most {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"is no expression: {_explained(error)}") from error
    for node in ast.walk(tree):
        _require_known(node)
        if isinstance(node, ast.Constant):
            node.value = _constant(node, text)
    return tree.body


def _require_known(node: ast.AST) -> None:
    if not isinstance(node, _NODES):
        raise ValueError(f"has {type(node).__name__}, which is not understood")
    if isinstance(node, ast.Name) and node.id not in _KNOWN:
        raise ValueError(f"knows no {node.id!r}{errors.nearest(node.id, _KNOWN)}; names are {NAME}")
    if isinstance(node, ast.Attribute) and node.attr not in _METHODS:
        raise ValueError(f"may not use .{node.attr}; allowed are {', '.join(sorted(_METHODS))}")


def _constant(node: ast.Constant, text: str) -> Any:
    """A number is what is written, not the binary number next to it."""
    if isinstance(node.value, float):
        return Decimal(ast.get_source_segment(text, node) or "")
    if node.value is not None and not isinstance(node.value, int | str):
        raise ValueError(f"has {node.value!r}, which is no number and no text")
    return node.value


def _try(evaluated: Callable[[Mapping[str, object]], bool], sample: Mapping[str, object]) -> None:
    try:
        evaluated(sample)
    except _FAULTS_OF_THE_SAMPLE:
        return
    except Exception as error:
        raise ValueError(f"fails on a sample: {_explained(error)}") from error


def _explained(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"no such key: {error}"
    return " ".join(str(error).split()) or type(error).__name__
