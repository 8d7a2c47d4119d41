"""Rule files: read with the line of every mistake, and written.

This is where the file's words, service and field, become the metric and the label of a rule's
target, and back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pydantic

from ratekit import errors
from ratekit.domain.rules.rule import MappingRule, Rule, RuleTarget, ThresholdRule
from ratekit.files import rules_schema, yaml_file
from ratekit.pricing import rule_change
from ratekit.text import number_text, utc_text

E = TypeVar("E", bound=rules_schema.RuleEntry)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
#: CloudKitty's text for a label that is null.
NULL_TEXT = "None"
#: Words that YAML 1.1 does not read as text.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule and its place in the file.

    :ivar line: from 1; None: not known
    :ivar key: such as ``services.instance.mappings[0]``
    :ivar has_null_text: its value is CloudKitty's text for null
    """

    rule: Rule
    line: int | None
    key: str
    has_null_text: bool = False


def read(path: str) -> list[Rule]:
    """Return the rules of a file, in its order.

    :raises ratekit.errors.BadInput: with every mistake
    """
    return [placed_rule.rule for placed_rule in read_with_places(path)]


def read_with_places(path: str) -> list[PlacedRule]:
    """Return the rules of a file with their places, in its order.

    :raises ratekit.errors.BadInput: with every mistake
    """
    return _read_document(yaml_file.read(path))


def parse_with_places(path: str, text: str) -> list[PlacedRule]:
    """Return the rules of a text with their places, in its order.

    :param path: where the text is from, for messages
    :raises ratekit.errors.BadInput: with every mistake
    """
    return _read_document(yaml_file.parse(path, text))


def _read_document(document: yaml_file.Document) -> list[PlacedRule]:
    schema = pydantic.TypeAdapter(rules_schema.RulesFile)
    _, mistakes = yaml_file.validate(document, (), document.data, schema, rules_schema.HINTS)
    # Each rule by itself, so that a mistake in one does not hide overlaps of others.
    placed = [
        PlacedRule(rule, document.line(place), yaml_file.key_text(place), has_null_text)
        for place, rule, has_null_text in _build_rules(document.data)
    ]
    document.raise_mistakes([*mistakes, *_find_overlaps(document.file, placed)])
    return placed


def _build_rules(data: Any) -> Iterator[tuple[yaml_file.Path, Rule, bool]]:
    """Yield each rule with its place, and whether its value is :data:`NULL_TEXT`."""
    for name, service in _mapping(_mapping(data).get("services")).items():
        place: yaml_file.Path = ("services", name)
        yield from _build_target_rules(place, RuleTarget(name), service)
        for field_name, field in _mapping(_mapping(service).get("fields")).items():
            inner: yaml_file.Path = (*place, "fields", field_name)
            yield from _build_target_rules(inner, RuleTarget(name, field_name), field)


def _build_target_rules(
    place: yaml_file.Path, target: RuleTarget, data: Any
) -> Iterator[tuple[yaml_file.Path, Rule, bool]]:
    content = _mapping(data)
    kind = rules_schema.RuleEntry if target.label is None else rules_schema.ValueEntry
    for index, entry in _entries(content.get("mappings"), kind):
        value = entry.value if isinstance(entry, rules_schema.ValueEntry) else None
        rule = MappingRule(target, None if value == NULL_TEXT else value, entry.terms())
        yield (*place, "mappings", index), rule, value == NULL_TEXT
    for index, level_entry in _entries(content.get("thresholds"), rules_schema.LevelEntry):
        threshold = ThresholdRule(target, level_entry.level, level_entry.terms())
        yield (*place, "thresholds", index), threshold, False


def _entries(data: Any, kind: type[E]) -> Iterator[tuple[int, E]]:
    """Yield the valid entries of a list, with their indices."""
    for index, row in enumerate(data if isinstance(data, list) else ()):
        with contextlib.suppress(pydantic.ValidationError):
            yield index, kind.model_validate(row)


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _find_overlaps(path: str, placed: Iterable[PlacedRule]) -> Iterator[errors.Mistake]:
    # Equal rules are equal values, so that only the object's identity leads to its line.
    places = {id(placed_rule.rule): placed_rule for placed_rule in placed}
    for pair in rule_change.find_overlaps(placed_rule.rule for placed_rule in places.values()):
        first, second = sorted(
            (places[id(rule)] for rule in pair), key=lambda placed_rule: placed_rule.line or 0
        )
        text = (
            f"overlaps the rule on line {first.line}; only one rule for the same usage, group and "
            "scope can be in force at a time"
        )
        yield errors.Mistake(path, second.line, second.key, text)


def render(rules: Iterable[Rule]) -> str:
    """Return the text of a file with ``rules`` for :func:`read`, always in the same order."""
    tree: dict[str, dict[str | None, dict[str, list[Rule]]]] = {}
    for rule in sorted(rules, key=_sort_key):
        kind = "mappings" if isinstance(rule, MappingRule) else "thresholds"
        service = tree.setdefault(rule.target.metric, {})
        service.setdefault(rule.target.label, {}).setdefault(kind, []).append(rule)
    if not tree:
        return "services: {}\n"
    lines = ["services:"]
    for name, fields in tree.items():
        lines.append(f"  {_scalar(name)}:")
        lines += _block(fields.pop(None, {}), "    ")
        if fields:
            lines.append("    fields:")
        for field, kinds in fields.items():
            lines.append(f"      {_scalar(field or '')}:")
            lines += _block(kinds, "        ")
    return "\n".join(lines) + "\n"


def _sort_key(rule: Rule) -> tuple[Any, ...]:
    is_threshold = isinstance(rule, ThresholdRule)
    content: tuple[Any, ...]
    if isinstance(rule, ThresholdRule):
        content = (rule.level,)
    else:
        content = (rule.value is not None, rule.value or "")
    target, terms = rule.target, rule.terms
    return (
        (target.metric, target.label is not None, target.label or "", is_threshold, content),
        (terms.group is not None, terms.group or "", terms.scope is not None, terms.scope or ""),
        # No two rules of one identity start at the same time, so the order is total.
        (terms.start is not None, terms.start),
    )


def _block(kinds: Mapping[str, Iterable[Rule]], indent: str) -> Iterator[str]:
    for kind, rules in kinds.items():
        yield f"{indent}{kind}:"
        for rule in rules:
            words = ", ".join(f"{key}: {text}" for key, text in _entry(rule))
            yield f"{indent}  - {{{words}}}"


def _entry(rule: Rule) -> Iterator[tuple[str, str]]:
    terms = rule.terms
    if isinstance(rule, ThresholdRule):
        yield "level", f'"{number_text(rule.level)}"'
    elif rule.target.label is not None:
        yield "value", "null" if rule.value is None else _scalar(rule.value)
    yield "cost", f'"{number_text(terms.cost)}"'
    yield "type", terms.type.value
    for key, text in (("group", terms.group), ("scope", terms.scope)):
        if text is not None:
            yield key, _scalar(text)
    for key, instant in (("start", terms.start), ("end", terms.end)):
        if instant is not None:
            yield key, utc_text(instant)


def _scalar(text: str) -> str:
    """Return a text as a YAML scalar, without quotes where it cannot be misread."""
    if _PLAIN.match(text) and text.lower() not in _RESERVED:
        return text
    return '"' + "".join(_escape(letter) for letter in text) + '"'


def _escape(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    # YAML reads some of the other characters as line breaks, and rejects the rest.
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
