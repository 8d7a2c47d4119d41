"""A custom query in Gnocchi's syntax, as a function of one value."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

Query = Callable[[Fraction], Fraction]

_OPERATIONS: dict[str, Callable[..., Fraction]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "div": lambda left, right: left / right,
    "abs": abs,
    "neg": lambda value: -value,
    "max": max,
    "clip_min": max,
    "clip_max": min,
    "clip": lambda value, low, high: min(max(value, low), high),
    ">": lambda left, right: Fraction(left > right),
    "<": lambda left, right: Fraction(left < right),
}
#: Where one of these is in a query, the query says what becomes of a counter's negative step.
_JUDGES_OF_STEPS = {"abs", "neg", "max", "clip_min", "clip_max", "clip", ">", "<"}


def as_function(text: str) -> Query:
    """Return a query as the function that it applies to an aggregate."""
    return lambda value: _evaluate(_tree(text), value)


def judges_steps(text: str) -> bool:
    """Tell whether a query says what becomes of a counter's negative step."""
    return _judges(_tree(text))


def _judges(node: Any) -> bool:
    # Inside an aggregate, max is the name of a method.
    if isinstance(node, str) or node[0] == "aggregate":
        return False
    return node[0] in _JUDGES_OF_STEPS or any(_judges(child) for child in node[1:])


def _words(text: str) -> list[str]:
    return text.replace("(", " ( ").replace(")", " ) ").split()


def _tree(text: str) -> Any:
    levels: list[list[Any]] = [[]]
    for word in _words(text):
        if word == "(":
            levels.append([])
        elif word == ")":
            levels[-2].append(levels.pop())
        else:
            levels[-1].append(word)
    return levels[0][0]


def _evaluate(node: Any, value: Fraction) -> Fraction:
    if isinstance(node, str):
        return Fraction(node)
    if node[0] == "aggregate":
        return value
    return _OPERATIONS[node[0]](*(_evaluate(child, value) for child in node[1:]))
