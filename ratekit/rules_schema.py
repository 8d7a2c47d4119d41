"""What a rule file may say: its keys, its numbers, its times."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Annotated, Any, Self

import pydantic

from ratekit.domain import exact
from ratekit.domain.rules import CostType, Terms

#: Longest name, value or scope id that the storages hold.
_LONGEST = 255
_DIGITS = 40
_PLACES = 28

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?\Z")


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


class Entry(_Strict):
    """What all rules have; a mapping of a service has nothing else."""

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
        """Return the rule's terms."""
        return Terms(self.cost, self.type, self.group, self.scope, self.start, self.end)


class ValueEntry(Entry):
    """A mapping of a field."""

    value: Text


class LevelEntry(Entry):
    """A threshold."""

    level: Level


class Field(_Strict):
    """The rules of a field."""

    mappings: list[ValueEntry] = []
    thresholds: list[LevelEntry] = []


class Service(_Strict):
    """The rules of a service."""

    mappings: list[Entry] = []
    thresholds: list[LevelEntry] = []
    fields: dict[Name, Field] = {}


class File(_Strict):
    """The whole file."""

    services: dict[Name, Service]


#: Keys of one kind of rule that people give to another.
MISPLACED = {
    "value": "only a field's mapping has a value: a service's always matches",
    "level": "only a threshold has a level",
}
