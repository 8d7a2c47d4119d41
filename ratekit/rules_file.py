"""The price rules as a YAML file: read, checked with the line of every mistake, and written."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

import pydantic

from ratekit import errors, rule_changes, yaml_file
from ratekit.domain import exact, rules
from ratekit.domain.rules import CostType, Parent, Rule, Terms

#: Longest name, value or scope id that the storages hold.
_LONGEST = 255
_DIGITS = 40
_PLACES = 28

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?\Z")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
#: Words that YAML 1.1 reads as something else than text.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _number(value: Any) -> Decimal:
    if isinstance(value, str) and exact.NUMBER.match(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"expected a decimal number, not {_shown(value)}")
    number = Decimal(value)
    whole, _, fraction = f"{number.copy_abs():f}".partition(".")
    if len(fraction) > _PLACES or len(whole.lstrip("0")) + len(fraction) > _DIGITS:
        raise ValueError(
            f"expected at most {_DIGITS} digits, of them at most {_PLACES} after the point"
        )
    return number


def _level(value: Any) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(f"expected a level of at least 0, not {_shown(value)}")
    return number


def _text(value: Any) -> str:
    """Take YAML's numbers and booleans for the text that a label would have."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if not isinstance(value, str | int):
        raise ValueError(f"expected a text, not {_shown(value)}")
    text = str(value)
    if len(text) > _LONGEST:
        raise ValueError(f"expected at most {_LONGEST} characters, not {len(text)}")
    return text


def _name(value: Any) -> str:
    text = _text(value)
    if not text:
        raise ValueError("must not be empty")
    return text


def _instant(value: Any) -> datetime.datetime:
    try:
        if not isinstance(value, str) or not _DATE.match(value):
            raise ValueError
        instant = datetime.datetime.fromisoformat(value)
        if instant.microsecond:
            raise ValueError
        if instant.tzinfo is None:
            return instant.replace(tzinfo=datetime.UTC)
        return instant.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            "expected a date or a time to the second, like 2026-01-31 or 2026-01-31T12:00:00Z, "
            f"not {_shown(value)}"
        ) from None


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(str(value) if isinstance(value, Decimal) else value)
    return text if len(text) <= 60 else text[:57] + "..."


Number = Annotated[Decimal, pydantic.BeforeValidator(_number)]
Level = Annotated[Decimal, pydantic.BeforeValidator(_level)]
Text = Annotated[str, pydantic.BeforeValidator(_text)]
Name = Annotated[str, pydantic.BeforeValidator(_name)]
Instant = Annotated[datetime.datetime, pydantic.BeforeValidator(_instant)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    cost: Number
    type: CostType
    group: Name | None = None
    scope: Name | None = None
    start: Instant | None = None
    end: Instant | None = None

    @pydantic.model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("expected an end after the start")
        return self

    def terms(self) -> Terms:
        return Terms(self.cost, self.type, self.group, self.scope, self.start, self.end)


class _Value(_Entry):
    value: Text


class _Level(_Entry):
    level: Level


class _Field(_Strict):
    mappings: list[_Value] = []
    thresholds: list[_Level] = []


class _Service(_Strict):
    mappings: list[_Entry] = []
    thresholds: list[_Level] = []
    fields: dict[Name, _Field] = {}


class _File(_Strict):
    services: dict[Name, _Service]


#: Keys of one kind of rule that people give to another.
_MISPLACED = {
    "value": "only a field's mapping has a value: a service's always matches",
    "level": "only a threshold has a level",
}


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
    content = yaml_file.validate(document, pydantic.TypeAdapter(_File), _MISPLACED)
    placed = [
        PlacedRule(rule, document.line(place), yaml_file.dotted(place))
        for place, rule in _rules(content)
    ]
    _refuse_overlaps(path, placed)
    return placed


def _rules(content: _File) -> Iterator[tuple[yaml_file.Path, Rule]]:
    for name, service in content.services.items():
        place: yaml_file.Path = ("services", name)
        parent = Parent(name)
        for index, entry in enumerate(service.mappings):
            yield (*place, "mappings", index), rules.Mapping(parent, None, entry.terms())
        yield from _thresholds(place, parent, service.thresholds)
        for field_name, field in service.fields.items():
            inner: yaml_file.Path = (*place, "fields", field_name)
            parent = Parent(name, field_name)
            for index, row in enumerate(field.mappings):
                yield (*inner, "mappings", index), rules.Mapping(parent, row.value, row.terms())
            yield from _thresholds(inner, parent, field.thresholds)


def _thresholds(
    place: yaml_file.Path, parent: Parent, rows: Iterable[_Level]
) -> Iterator[tuple[yaml_file.Path, Rule]]:
    for index, row in enumerate(rows):
        yield (*place, "thresholds", index), rules.Threshold(parent, row.level, row.terms())


def _refuse_overlaps(path: str, placed: Iterable[PlacedRule]) -> None:
    # Equal rules are equal values, so only the object tells which line is meant.
    places = {id(one.rule): one for one in placed}
    mistakes = []
    for pair in rule_changes.overlapping(one.rule for one in places.values()):
        first, second = sorted((places[id(rule)] for rule in pair), key=lambda one: one.line or 0)
        mistakes.append(
            errors.Mistake(
                path,
                second.line,
                second.key,
                f"is in force together with the rule for the same on line {first.line}",
            )
        )
    if mistakes:
        raise errors.BadInput(sorted(mistakes, key=lambda mistake: mistake.line or 0))


def render(members: Iterable[Rule]) -> str:
    """Write rules as a file that :func:`read` understands, always in the same order."""
    tree: dict[str, dict[str | None, dict[str, list[Rule]]]] = {}
    for rule in sorted(members, key=_order):
        kind = "mappings" if isinstance(rule, rules.Mapping) else "thresholds"
        service = tree.setdefault(rule.parent.service, {})
        service.setdefault(rule.parent.field, {}).setdefault(kind, []).append(rule)
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
    threshold = isinstance(rule, rules.Threshold)
    mark = rule.level if isinstance(rule, rules.Threshold) else rule.value or ""
    parent, terms = rule.parent, rule.terms
    return (
        (parent.service, parent.field is not None, parent.field or "", threshold, mark),
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
    if isinstance(rule, rules.Threshold):
        yield "level", f'"{rule_changes.plain(rule.level)}"'
    elif rule.value is not None:
        yield "value", _scalar(rule.value)
    yield "cost", f'"{rule_changes.plain(terms.cost)}"'
    yield "type", terms.type.value
    for key, text in (("group", terms.group), ("scope", terms.scope)):
        if text is not None:
            yield key, _scalar(text)
    for key, instant in (("start", terms.start), ("end", terms.end)):
        if instant is not None:
            yield key, rule_changes.utc_text(instant)


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
