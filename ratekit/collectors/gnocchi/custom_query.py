"""Custom queries: Gnocchi's operations on a metric, computed exactly.

With history Gnocchi computes a query in binary and scales its result by the share of a bucket
that a revision covers. Therefore ratekit reads only the aggregate inside a query, and applies
the query's operations itself, to each whole bucket, in fractions.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain import exact

#: A node of a query: value of a bucket -> result.
_Function = Callable[[Fraction], Fraction]
_Node = Fraction | _Function

_TOKEN = re.compile(r"[()]|[^\s()]+")
_MAX_DEPTH = 50
#: Higher powers of long numbers would take too long.
_EXPONENTS = range(9)

SYNTAX = (
    "supported are numbers, + - * / % **, comparisons, abs, neg, floor, ceil, max, min, clip, "
    "clip_min and clip_max around (aggregate METHOD (metric NAME METHOD)), which may be repeated"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregation:
    """Which aggregate of a metric is read, and how it is converted and reduced.

    :ivar metric: the metric's name in Gnocchi
    :ivar aggregation_method: of the stored aggregate
    :ivar re_aggregation_method: how the aggregates of a period become one value
    :ivar convert: value of a whole bucket -> value to reduce; None: the same
    :ivar decides_on_steps: the query says what becomes of a counter's negative step
    """

    metric: str
    aggregation_method: str
    re_aggregation_method: str
    convert: Callable[[Decimal], Fraction] | None = None
    decides_on_steps: bool = False


def fill(template: str, re_aggregation_method: str, aggregation_method: str, metric: str) -> str:
    """Return a query with its placeholders replaced, in CloudKitty's order."""
    return (
        template.replace("RE_AGGREGATION_METHOD", re_aggregation_method)
        .replace("AGGREGATION_METHOD", aggregation_method)
        .replace("METRIC_NAME", metric)
    )


def read(text: str) -> Aggregation:
    """Read a query without placeholders.

    :raises ValueError: it is not valid, or not supported; the message is for an operator
    """
    tree = _parse(text)
    references: list[Sequence[str]] = []
    node = _compile(tree, references)
    if not references:
        raise ValueError(f"has no aggregate; expected one; {SYNTAX}")
    if any(reference != references[0] for reference in references):
        raise ValueError(
            f"has different aggregates; expected the same metric and methods each time; {SYNTAX}"
        )
    re_aggregation_method, metric, aggregation_method = references[0]
    if isinstance(node, Fraction):
        raise ValueError(f"is the constant {node}; {SYNTAX}")
    convert = None if node is _value else _on_decimals(node)
    return Aggregation(
        metric, aggregation_method, re_aggregation_method, convert, _has_comparison(tree)
    )


def _on_decimals(function: _Function) -> Callable[[Decimal], Fraction]:
    return lambda value: function(Fraction(value))


def _parse(text: str) -> list[object]:
    """Return parentheses as nested lists of words."""
    stack: list[list[object]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
            if len(stack) > _MAX_DEPTH:
                raise ValueError(f"is more than {_MAX_DEPTH} parentheses deep")
        elif token == ")":
            if len(stack) == 1:
                raise ValueError("has an unmatched ')'")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    if len(stack) > 1:
        raise ValueError("has an unmatched '('")
    outer = stack[0]
    if len(outer) != 1 or not isinstance(outer[0], list):
        raise ValueError(f"is not one expression in parentheses; {SYNTAX}")
    return outer[0]


def _has_comparison(node: object) -> bool:
    """Return whether an operation's result depends on the sign or the size of a value."""
    if not isinstance(node, list) or node[0] == "aggregate":
        return False
    return OPERATIONS[node[0]].compares or any(_has_comparison(child) for child in node[1:])


def _value(value: Fraction) -> Fraction:
    """Return the aggregate itself."""
    return value


def _compile(node: object, references: list[Sequence[str]]) -> _Node:
    if isinstance(node, str):
        if not exact.NUMBER.match(node):
            raise ValueError(f"has {node!r} where a number is expected; {SYNTAX}")
        return Fraction(node)
    if not isinstance(node, list) or not node or not isinstance(node[0], str):
        raise ValueError(f"has parentheses without an operation; {SYNTAX}")
    name, arguments = node[0], node[1:]
    if name == "aggregate":
        references.append(_reference(arguments))
        return _value
    operation = OPERATIONS.get(name)
    if operation is None:
        raise ValueError(f"has the unknown operation {name!r}; {SYNTAX}")
    if len(arguments) not in operation.counts:
        counts = " or ".join(str(count) for count in operation.counts)
        raise ValueError(f"has {len(arguments)} values for {name!r}; expected {counts}")
    nodes = [_compile(argument, references) for argument in arguments]
    _require_exact(name, operation, nodes)
    return _apply(operation, nodes)


def _reference(arguments: Sequence[object]) -> Sequence[str]:
    """Return (re-aggregation method, metric, aggregation method)."""
    match arguments:
        case [str() as method, ["metric", str() as metric, str() as aggregation]]:
            return method, metric, aggregation
    raise ValueError(f"has an aggregate of the wrong form; {SYNTAX}")


def _require_exact(name: str, operation: Operation, nodes: Sequence[_Node]) -> None:
    """Raise for an operation that has no exact result for some values."""
    second = nodes[-1]
    if operation.is_division and not (isinstance(second, Fraction) and second):
        raise ValueError(f"{name!r} needs a number other than 0 as its second value")
    if operation.is_power and second not in _EXPONENTS:
        raise ValueError(
            f"{name!r} needs a whole number up to {_EXPONENTS[-1]} as its second value"
        )


def _apply(operation: Operation, nodes: Sequence[_Node]) -> _Node:
    function = operation.function
    arguments: list[_Function] = []
    for node in nodes:
        arguments.append(_constant(node) if isinstance(node, Fraction) else node)
    if all(isinstance(node, Fraction) for node in nodes):
        return function(*nodes)
    return lambda value: function(*[argument(value) for argument in arguments])


def _constant(number: Fraction) -> _Function:
    return lambda _value: number


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    :ivar function: takes and returns fractions
    :ivar counts: numbers of values that it may take
    :ivar is_division: its second value must be a number other than 0
    :ivar is_power: its second value must be a small whole number
    :ivar compares: its result depends on the sign or the size of a value, so a query that
        uses it decides what becomes of a counter's negative step
    """

    function: Callable[..., Fraction]
    counts: tuple[int, ...] = (2,)
    is_division: bool = False
    is_power: bool = False
    compares: bool = False


def _clip(value: Fraction, lower: Fraction, upper: Fraction | None = None) -> Fraction:
    # As in numpy: where the bounds cross, the upper one wins.
    result = max(value, lower)
    return result if upper is None else min(result, upper)


def _fraction(function: Callable[..., int | bool]) -> Callable[..., Fraction]:
    return lambda *values: Fraction(function(*values))


_ONE = (1,)
_BY_NAMES: Mapping[tuple[str, ...], Operation] = {
    ("+", "add"): Operation(operator.add),
    ("-", "sub"): Operation(operator.sub),
    ("*", "\u00d7", "mul"): Operation(operator.mul),
    ("/", "\u00f7", "div"): Operation(operator.truediv, is_division=True),
    ("%", "mod"): Operation(operator.mod, is_division=True),
    ("**", "^", "pow"): Operation(operator.pow, is_power=True),
    ("=", "==", "eq"): Operation(_fraction(operator.eq), compares=True),
    ("!=", "\u2260", "ne"): Operation(_fraction(operator.ne), compares=True),
    ("<", "lt"): Operation(_fraction(operator.lt), compares=True),
    ("<=", "\u2264", "le"): Operation(_fraction(operator.le), compares=True),
    (">", "gt"): Operation(_fraction(operator.gt), compares=True),
    (">=", "\u2265", "ge"): Operation(_fraction(operator.ge), compares=True),
    ("max", "clip_min"): Operation(max, compares=True),
    ("min", "clip_max"): Operation(min, compares=True),
    ("clip",): Operation(_clip, (2, 3), compares=True),
    ("abs", "absolute"): Operation(abs, _ONE, compares=True),
    ("neg", "negative"): Operation(operator.neg, _ONE, compares=True),
    ("floor",): Operation(_fraction(math.floor), _ONE),
    ("ceil",): Operation(_fraction(math.ceil), _ONE),
}
OPERATIONS: Mapping[str, Operation] = {
    name: operation for names, operation in _BY_NAMES.items() for name in names
}
