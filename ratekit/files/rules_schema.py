"""What a rule file may say: its keys, its numbers, its times."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Annotated, Any, Self

import pydantic

from ratekit.domain import exact
from ratekit.domain.rules.rule import CostType, Terms

#: Longest name, value or scope id that the storages hold.
_LONGEST = 255
_DIGITS = 40
_PLACES = 28
_WHOLE = 37

#: NUL, and halves of characters.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?\Z")


def _number(value: Any) -> Decimal:
    if isinstance(value, str) and exact.NUMBER.match(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"expected a decimal number, not {_shown(value)}")
    number = Decimal(value)
    whole, _, fraction = f"{number.copy_abs():f}".partition(".")
    whole = whole.lstrip("0")
    if len(fraction) > _PLACES or len(whole) > _WHOLE or len(whole) + len(fraction) > _DIGITS:
        raise ValueError(
            f"expected at most {_DIGITS} digits, of them at most {_PLACES} after the point and "
            f"{_WHOLE} before it"
        )
    return number


def _level(value: Any) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(f"expected a level of at least 0, not {_shown(value)}")
    return number


def _text(value: Any) -> str:
    """Take YAML's numbers for the text that a label would have."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        # Of yes, on and true, which are one to YAML, nobody knows what the label says.
        word = str(value).lower()
        raise ValueError(f"expected a text: put it in quotes, since YAML reads it as {word}")
    if not isinstance(value, str | int):
        raise ValueError(f"expected a text, not {_shown(value)}")
    text = str(value)
    if len(text) > _LONGEST:
        raise ValueError(f"expected at most {_LONGEST} characters, not {len(text)}")
    if _UNSTORABLE.search(text):
        raise ValueError(f"has a character that no database takes: {_shown(text)}")
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


#: The same limits for editors; what they cannot tell is left to the reader.
_DECIMAL = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"
_WORD = {"type": ["string", "number"], "maxLength": _LONGEST}


def _decimal(pattern: str, example: str, **limits: int) -> pydantic.WithJsonSchema:
    """Text keeps every digit, where an editor's number may not."""
    text = {"type": "string", "pattern": f"^{pattern}$"}
    return pydantic.WithJsonSchema(
        {"anyOf": [text, {"type": "number", **limits}], "examples": [example]}
    )


Number = Annotated[Decimal, pydantic.BeforeValidator(_number), _decimal(_DECIMAL, "0.02")]
Level = Annotated[
    Decimal,
    pydantic.BeforeValidator(_level),
    _decimal(_DECIMAL.replace("[-+]", "[+]", 1), "1000", minimum=0),
]
Text = Annotated[str, pydantic.BeforeValidator(_text), pydantic.WithJsonSchema(_WORD)]
Name = Annotated[
    str,
    pydantic.BeforeValidator(_name),
    pydantic.WithJsonSchema({**_WORD, "minLength": 1}),
]
Instant = Annotated[
    datetime.datetime,
    pydantic.BeforeValidator(_instant),
    pydantic.WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?$",
            "examples": ["2026-01-31", "2026-01-31T12:00:00Z"],
        }
    ),
]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class RuleEntry(_Strict):
    """What all rules have; a mapping of a service has nothing else."""

    cost: Annotated[
        Number,
        pydantic.Field(
            description="Exact, at most 40 digits, of them at most 28 after the point; in quotes, "
            "so that nothing takes it for a binary number. flat: for a unit of the quantity, each "
            "period; of a service's threshold: for the period. rate: a factor."
        ),
    ]
    type: Annotated[
        CostType,
        pydantic.Field(
            description="flat: added; of a group's mappings that match, the highest counts. rate: "
            "multiplies what is flat in its group."
        ),
    ]
    group: Annotated[
        Name | None,
        pydantic.Field(
            description="Rules combine within a group, and groups are added up; rules without one "
            "are a group of their own."
        ),
    ] = None
    scope: Annotated[
        Name | None,
        pydantic.Field(
            description="Id of the one scope it is for; there it replaces the rule for all that "
            "is otherwise the same."
        ),
    ] = None
    start: Annotated[
        Instant | None,
        pydantic.Field(
            description="First instant in force, UTC unless it says another zone. Without it a "
            "rule goes on that is in force, or begins with the next period."
        ),
    ] = None
    end: Annotated[
        Instant | None,
        pydantic.Field(description="First instant no longer in force; without it, no end."),
    ] = None

    @pydantic.model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("expected an end after the start")
        return self

    def terms(self) -> Terms:
        """Return the rule's terms."""
        return Terms(self.cost, self.type, self.group, self.scope, self.start, self.end)


class ValueEntry(RuleEntry):
    """A mapping of a field."""

    value: Annotated[Text, pydantic.Field(description="What the label must be, as text.")]


class LevelEntry(RuleEntry):
    """A threshold."""

    level: Annotated[
        Level,
        pydantic.Field(
            description="From this quantity on, or, on a field, from this number in the label on; "
            "of all that match in a group, the highest counts."
        ),
    ]


class Field(_Strict):
    """The rules of a field."""

    mappings: list[ValueEntry] = []
    thresholds: list[LevelEntry] = []


class Service(_Strict):
    """The rules of a service."""

    mappings: list[RuleEntry] = []
    thresholds: list[LevelEntry] = []
    fields: Annotated[
        dict[Name, Field],
        pydantic.Field(description="By label: rules that depend on what the usage's label says."),
    ] = {}


class RulesFile(_Strict):
    """The whole file."""

    model_config = pydantic.ConfigDict(title="ratekit price rules")

    services: Annotated[
        dict[Name, Service],
        pydantic.Field(description="By metric: its public name, alt_name or the key."),
    ]


#: Keys of one kind of rule that people give to another.
MISPLACED = {
    "value": "only a field's mapping has a value: a service's always matches",
    "level": "only a threshold has a level",
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole file, for editors."""
    schema: dict[str, Any] = RulesFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
