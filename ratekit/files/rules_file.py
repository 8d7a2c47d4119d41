"""The price rules as a YAML file: read, checked with the line of every mistake, and written."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pydantic

from ratekit import errors
from ratekit.domain.rules import rule as rules
from ratekit.domain.rules.rule import Rule, RuleTarget
from ratekit.files import rules_schema, yaml_file
from ratekit.pricing import rule_change
from ratekit.text import number_text, utc_text

E = TypeVar("E", bound=rules_schema.RuleEntry)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
#: Words that YAML 1.1 reads as something else than text.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule and where it stands.

    :ivar line: line in the file, counted from 1, or None where there is none
    :ivar key: dotted place, such as ``services.instance.mappings[0]``
    """

    rule: Rule
    line: int | None
    key: str


def read(path: str) -> list[Rule]:
    """Return the rules of a file, in its order.

    :raises ratekit.errors.BadInput: with every mistake
    """
    return [placed.rule for placed in read_placed(path)]


def read_placed(path: str) -> list[PlacedRule]:
    """Return the rules of a file with their places, in its order.

    :raises ratekit.errors.BadInput: with every mistake
    """
    document = yaml_file.read(path)
    whole = pydantic.TypeAdapter(rules_schema.RulesFile)
    _, mistakes = yaml_file.attempt(document, (), document.data, whole, rules_schema.MISPLACED)
    # Each rule by itself, so that one that is wrong hides no others that are equal.
    placed = [
        PlacedRule(rule, document.line(place), yaml_file.dotted(place))
        for place, rule in _rules(document.data)
    ]
    document.refuse([*mistakes, *_overlaps(path, placed)])
    return placed


def _rules(data: Any) -> Iterator[tuple[yaml_file.Path, Rule]]:
    for name, service in _mapping(_mapping(data).get("services")).items():
        place: yaml_file.Path = ("services", name)
        yield from _rules_of(place, RuleTarget(name), service)
        for field_name, field in _mapping(_mapping(service).get("fields")).items():
            inner: yaml_file.Path = (*place, "fields", field_name)
            yield from _rules_of(inner, RuleTarget(name, field_name), field)


def _rules_of(
    place: yaml_file.Path, target: RuleTarget, data: Any
) -> Iterator[tuple[yaml_file.Path, Rule]]:
    content = _mapping(data)
    kind = rules_schema.RuleEntry if target.label is None else rules_schema.ValueEntry
    for index, entry in _entries(content.get("mappings"), kind):
        value = entry.value if isinstance(entry, rules_schema.ValueEntry) else None
        yield (*place, "mappings", index), rules.MappingRule(target, value, entry.terms())
    for index, row in _entries(content.get("thresholds"), rules_schema.LevelEntry):
        yield (*place, "thresholds", index), rules.ThresholdRule(target, row.level, row.terms())


def _entries(data: Any, kind: type[E]) -> Iterator[tuple[int, E]]:
    """Yield the entries of a list that are right, with their indices."""
    for index, row in enumerate(data if isinstance(data, list) else ()):
        with contextlib.suppress(pydantic.ValidationError):
            yield index, kind.model_validate(row)


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _overlaps(path: str, placed: Iterable[PlacedRule]) -> Iterator[errors.Mistake]:
    # Equal rules are equal values, so only the object tells which line is meant.
    places = {id(one.rule): one for one in placed}
    for pair in rule_change.overlapping(one.rule for one in places.values()):
        first, second = sorted((places[id(rule)] for rule in pair), key=lambda one: one.line or 0)
        text = f"is in force together with the rule for the same on line {first.line}"
        yield errors.Mistake(path, second.line, second.key, text)


def render(members: Iterable[Rule]) -> str:
    """Write rules as a file that :func:`read` understands, always in the same order."""
    tree: dict[str, dict[str | None, dict[str, list[Rule]]]] = {}
    for rule in sorted(members, key=_order):
        kind = "mappings" if isinstance(rule, rules.MappingRule) else "thresholds"
        service = tree.setdefault(rule.target.metric, {})
        service.setdefault(rule.target.label, {}).setdefault(kind, []).append(rule)
    if not tree:
        return "services: {}\n"
    lines = ["services:"]
    for name, parents in tree.items():
        lines.append(f"  {_scalar(name)}:")
        lines += _block(parents.pop(None, {}), "    ")
        if parents:
            lines.append("    fields:")
        for field, kinds in parents.items():
            lines.append(f"      {_scalar(field or '')}:")
            lines += _block(kinds, "        ")
    return "\n".join(lines) + "\n"


def _order(rule: Rule) -> tuple[Any, ...]:
    threshold = isinstance(rule, rules.ThresholdRule)
    mark = rule.level if isinstance(rule, rules.ThresholdRule) else rule.value or ""
    target, terms = rule.target, rule.terms
    return (
        (target.metric, target.label is not None, target.label or "", threshold, mark),
        (terms.group is not None, terms.group or "", terms.scope is not None, terms.scope or ""),
        # No two rules of equal identity start together, so this settles the order.
        (terms.start is not None, terms.start),
    )


def _block(kinds: Mapping[str, Iterable[Rule]], indent: str) -> Iterator[str]:
    for kind, members in kinds.items():
        yield f"{indent}{kind}:"
        for rule in members:
            words = ", ".join(f"{key}: {text}" for key, text in _entry(rule))
            yield f"{indent}  - {{{words}}}"


def _entry(rule: Rule) -> Iterator[tuple[str, str]]:
    terms = rule.terms
    if isinstance(rule, rules.ThresholdRule):
        yield "level", f'"{number_text(rule.level)}"'
    elif rule.value is not None:
        yield "value", _scalar(rule.value)
    yield "cost", f'"{number_text(terms.cost)}"'
    yield "type", terms.type.value
    for key, text in (("group", terms.group), ("scope", terms.scope)):
        if text is not None:
            yield key, _scalar(text)
    for key, instant in (("start", terms.start), ("end", terms.end)):
        if instant is not None:
            yield key, utc_text(instant)


def _scalar(text: str) -> str:
    """Write a text as a YAML scalar: plain where that cannot be misread."""
    if _PLAIN.match(text) and text.lower() not in _RESERVED:
        return text
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    # YAML joins lines at some of the others, and refuses to read the rest.
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
