"""Custom queries: Gnocchi's operations on a metric, worked out exactly.

With history Gnocchi scales what a query yields by how much of a bucket a revision covers,
and works in binary. So only the aggregate inside a query is asked for, and what the query
does to it is done here, to each whole bucket, in fractions.
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

#: What a node of a query makes of a bucket's value.
_Function = Callable[[Fraction], Fraction]
_Node = Fraction | _Function

_TOKEN = re.compile(r"[()]|[^\s()]+")
_DEEPEST = 50
#: Higher powers of long numbers would take for ever.
_EXPONENTS = range(9)

UNDERSTOOD = (
    "understood are numbers, + - * / % **, comparisons, abs, neg, floor, ceil, max, clip, clip_min "
    "and clip_max around one (aggregate METHOD (metric NAME METHOD))"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one metric, and what is made of it.

    :ivar metric: the metric's name in the back end
    :ivar aggregation_method: which stored aggregate
    :ivar re_aggregation_method: how the aggregates of a period become one value
    :ivar convert: what a whole bucket's value becomes before that; None: stays as it is
    """

    metric: str
    aggregation_method: str
    re_aggregation_method: str
    convert: Callable[[Decimal], Fraction] | None = None


def fill(template: str, re_aggregation_method: str, aggregation_method: str, metric: str) -> str:
    """Return a query with its placeholders replaced, in CloudKitty's order."""
    return (
        template.replace("RE_AGGREGATION_METHOD", re_aggregation_method)
        .replace("AGGREGATION_METHOD", aggregation_method)
        .replace("METRIC_NAME", metric)
    )


def read(text: str) -> Query:
    """Read a query without placeholders.

    :raises ValueError: it is none, or does what is not done here; in words for an operator
    """
    tree = _parse(text)
    references: list[Sequence[str]] = []
    node = _compile(tree, references)
    if len(references) != 1:
        raise ValueError(f"has {len(references)} aggregates of a metric; {UNDERSTOOD}")
    re_aggregation_method, metric, aggregation_method = references[0]
    if isinstance(node, Fraction):
        raise ValueError(f"is always {node}; {UNDERSTOOD}")
    if node is _value:
        return Query(metric, aggregation_method, re_aggregation_method)
    function = node
    return Query(
        metric, aggregation_method, re_aggregation_method, lambda value: function(Fraction(value))
    )


def _parse(text: str) -> list[object]:
    """Read parentheses as lists of words and lists."""
    stack: list[list[object]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
            if len(stack) > _DEEPEST:
                raise ValueError(f"is more than {_DEEPEST} parentheses deep")
        elif token == ")":
            if len(stack) == 1:
                raise ValueError("has a ')' too many")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    if len(stack) > 1:
        raise ValueError("lacks a ')'")
    outer = stack[0]
    if len(outer) != 1 or not isinstance(outer[0], list):
        raise ValueError(f"is not one expression in parentheses; {UNDERSTOOD}")
    return outer[0]


def _value(value: Fraction) -> Fraction:
    """The aggregate itself."""
    return value


def _compile(node: object, references: list[Sequence[str]]) -> _Node:
    if isinstance(node, str):
        if not exact.NUMBER.match(node):
            raise ValueError(f"has {node!r} where a number is expected; {UNDERSTOOD}")
        return Fraction(node)
    if not isinstance(node, list) or not node or not isinstance(node[0], str):
        raise ValueError(f"has parentheses that name no operation; {UNDERSTOOD}")
    name, arguments = node[0], node[1:]
    if name == "aggregate":
        references.append(_reference(arguments))
        return _value
    operation = OPERATIONS.get(name)
    if operation is None:
        raise ValueError(f"has the operation {name!r}; {UNDERSTOOD}")
    if len(arguments) not in operation.counts:
        wanted = " or ".join(str(count) for count in operation.counts)
        raise ValueError(f"gives {name!r} {len(arguments)} values; expected {wanted}")
    nodes = [_compile(argument, references) for argument in arguments]
    _require_exact(name, operation, nodes)
    return _applied(operation, nodes)


def _reference(arguments: Sequence[object]) -> Sequence[str]:
    """Return (re-aggregation method, metric, aggregation method)."""
    match arguments:
        case [str() as method, ["metric", str() as metric, str() as aggregation]]:
            return method, metric, aggregation
    raise ValueError(f"has an aggregate of another form; {UNDERSTOOD}")


def _require_exact(name: str, operation: Operation, nodes: Sequence[_Node]) -> None:
    """Refuse what has no exact result for some values."""
    second = nodes[-1]
    if operation.is_division and not (isinstance(second, Fraction) and second):
        raise ValueError(f"{name!r} needs a number other than 0 as its second value")
    if operation.is_power and second not in _EXPONENTS:
        raise ValueError(
            f"{name!r} needs a whole number up to {_EXPONENTS[-1]} as its second value"
        )


def _applied(operation: Operation, nodes: Sequence[_Node]) -> _Node:
    apply = operation.apply
    functions: list[_Function] = []
    for node in nodes:
        functions.append(_constant(node) if isinstance(node, Fraction) else node)
    if all(isinstance(node, Fraction) for node in nodes):
        return apply(*nodes)
    return lambda value: apply(*[function(value) for function in functions])


def _constant(number: Fraction) -> _Function:
    return lambda _value: number


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    :ivar apply: takes and returns fractions
    :ivar counts: how many values it takes
    :ivar is_division: its second value must be a number other than 0
    :ivar is_power: its second value must be a small whole number
    """

    apply: Callable[..., Fraction]
    counts: tuple[int, ...] = (2,)
    is_division: bool = False
    is_power: bool = False


def _clip(value: Fraction, least: Fraction, most: Fraction | None = None) -> Fraction:
    # As in numpy: where the bounds cross, the upper one wins.
    clipped = max(value, least)
    return clipped if most is None else min(clipped, most)


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
    ("=", "==", "eq"): Operation(_fraction(operator.eq)),
    ("!=", "\u2260", "ne"): Operation(_fraction(operator.ne)),
    ("<", "lt"): Operation(_fraction(operator.lt)),
    ("<=", "\u2264", "le"): Operation(_fraction(operator.le)),
    (">", "gt"): Operation(_fraction(operator.gt)),
    (">=", "\u2265", "ge"): Operation(_fraction(operator.ge)),
    ("max", "clip_min"): Operation(max),
    ("clip_max",): Operation(min),
    ("clip",): Operation(_clip, (2, 3)),
    ("abs", "absolute"): Operation(abs, _ONE),
    ("neg", "negative"): Operation(operator.neg, _ONE),
    ("floor",): Operation(_fraction(math.floor), _ONE),
    ("ceil",): Operation(_fraction(math.ceil), _ONE),
}
OPERATIONS: Mapping[str, Operation] = {
    name: operation for names, operation in _BY_NAMES.items() for name in names
}
