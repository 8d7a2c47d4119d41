"""The schema of a rule file: its keys, numbers and times."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Annotated, Any, Self

import pydantic

from ratekit.domain import exact
from ratekit.domain.rules.rule import CostType, Terms
from ratekit.files import yaml_file
from ratekit.text import python_number

#: Longest name, value or scope id that the database holds.
_MAX_LENGTH = 255
_MAX_DIGITS = 40
_MAX_PLACES = 28
_MAX_WHOLE_DIGITS = 37

#: NUL and surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?\Z")


def _number(value: Any) -> Decimal:
    if isinstance(value, str) and exact.NUMBER.match(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"expected a decimal number, not {yaml_file.value_text(value)}")
    number = Decimal(value)
    require_digits(number)
    return number


def require_digits(number: Decimal) -> None:
    """Require that a cost or a level can be stored and used exactly.

    :param number: finite
    :raises ValueError: it has too many digits
    """
    # Counted, because 1e999999999 written out fills the memory.
    places = max(-int(number.as_tuple().exponent), 0)
    whole_digits = max(number.adjusted() + 1, 0) if number else 0
    if (
        places > _MAX_PLACES
        or whole_digits > _MAX_WHOLE_DIGITS
        or whole_digits + places > _MAX_DIGITS
    ):
        raise ValueError(
            f"expected at most {_MAX_DIGITS} digits, at most {_MAX_PLACES} of them after the "
            f"decimal point and {_MAX_WHOLE_DIGITS} before it"
        )


def _level(value: Any) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(f"expected a level of at least 0, not {yaml_file.value_text(value)}")
    return number


def _text(value: Any) -> str:
    """Return a string; a YAML number becomes the text that a label has for it."""
    if isinstance(value, Decimal):
        # Only a number with an exponent is not written as in the file: labels have Python's.
        is_plain = int(value.as_tuple().exponent) <= 0
        return f"{value:f}" if is_plain else str(python_number(value))
    if isinstance(value, bool):
        # YAML reads yes, on and true alike: the label may be any of them.
        word = str(value).lower()
        raise ValueError(f"expected a string: write it in quotes, because YAML reads it as {word}")
    if not isinstance(value, str | int):
        raise ValueError(f"expected a string, not {yaml_file.value_text(value)}")
    text = str(value)
    require_storable(text)
    return text


def require_storable(text: str, limit: int = _MAX_LENGTH) -> None:
    """Require that a name, a value or a scope id can be stored.

    :param limit: maximum number of characters
    :raises ValueError: it is too long, or has characters that databases refuse
    """
    if len(text) > limit:
        raise ValueError(f"expected at most {limit} characters, not {len(text)}")
    if _UNSTORABLE.search(text):
        raise ValueError(f"contains a NUL or an unpaired surrogate: {yaml_file.value_text(text)}")


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
        if instant.tzinfo is None:
            return instant.replace(tzinfo=datetime.UTC)
        return instant.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            "expected a date or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z, "
            f"not {yaml_file.value_text(value)}"
        ) from None


#: The same limits for editors; the reader checks what a pattern cannot.
_DECIMAL = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"
_STRING = {"type": ["string", "number"], "maxLength": _MAX_LENGTH}


def _decimal(pattern: str, example: str, **limits: int) -> pydantic.WithJsonSchema:
    """Return the schema of a number, or of a string: a string keeps every digit."""
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
Text = Annotated[str, pydantic.BeforeValidator(_text), pydantic.WithJsonSchema(_STRING)]
Name = Annotated[
    str,
    pydantic.BeforeValidator(_name),
    pydantic.WithJsonSchema({**_STRING, "minLength": 1}),
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
    """The keys of every rule. A mapping of a service has no others."""

    cost: Annotated[
        Number,
        pydantic.Field(
            description="Decimal number, used exactly: at most 40 digits, at most 28 of them after "
            "the decimal point. Write it in quotes, so that no tool converts it to a binary "
            "number. With type flat, an amount of money: per unit of the quantity and period or, "
            "in a threshold of a service, per period. With type rate, a factor without a unit."
        ),
    ]
    type: Annotated[
        CostType,
        pydantic.Field(
            description="flat: the cost is an amount; of all flat mappings in a group that match, "
            "only the largest cost counts, and at least 0, and a flat threshold is added to it. "
            "rate: the cost is a factor; all rates in a group that match multiply its flat amount."
        ),
    ]
    group: Annotated[
        Name | None,
        pydantic.Field(
            description="Name of the group. Flat costs and rates combine within a group, and the "
            "prices of the groups are added up. Default: none; the rules without a group are one "
            "group."
        ),
    ] = None
    scope: Annotated[
        Name | None,
        pydantic.Field(
            description="Id of the only scope that the rule applies to. For this scope it replaces "
            "the rule without a scope that has the same service, field, value or level, and group. "
            "Default: none; the rule applies to all scopes."
        ),
    ] = None
    start: Annotated[
        Instant | None,
        pydantic.Field(
            description="First instant at which the rule is in force: a date or a time to the "
            "second, ISO 8601, UTC unless it has another offset. Choose the start of a period. "
            "Default: none; a rule that is in force already stays in force, and a new rule starts "
            "at the next period (or, if nothing has been rated yet, applies to all of the past)."
        ),
    ] = None
    end: Annotated[
        Instant | None,
        pydantic.Field(
            description="First instant at which the rule is no longer in force, written like "
            "start. Default: none; the rule stays in force."
        ),
    ] = None

    @pydantic.model_validator(mode="after")
    def _require_end_after_start(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("expected an end after the start")
        return self

    def terms(self) -> Terms:
        """Return the rule's terms."""
        return Terms(self.cost, self.type, self.group, self.scope, self.start, self.end)


class ValueEntry(RuleEntry):
    """A mapping of a field: a cost of the usage with one value of a label."""

    value: Annotated[
        Text | None,
        pydantic.Field(
            description="Text that the label must equal, at most 255 characters, or null for a "
            "label that is null, such as the type of a volume without a type. null and None, as "
            "CloudKitty writes it, mean the same: they match null and the text None. A number is "
            "compared as text; write in quotes what YAML does not read as text, such as true."
        ),
    ]


class LevelEntry(RuleEntry):
    """A threshold: a cost from a level on."""

    level: Annotated[
        Level,
        pydantic.Field(
            description="The threshold matches from this quantity on, in the metric's unit. On a "
            "field, it matches from this number in the label on. At least 0. Of all thresholds in "
            "a group that match, only the one with the highest level counts."
        ),
    ]


class Field(_Strict):
    """The rules of a field: they depend on the label of that name."""

    mappings: Annotated[
        list[ValueEntry],
        pydantic.Field(description="Costs by the label's text. Default: none."),
    ] = []
    thresholds: Annotated[
        list[LevelEntry],
        pydantic.Field(description="Costs by the label's number. Default: none."),
    ] = []


class Service(_Strict):
    """The rules of a service: of the metric with that public name."""

    mappings: Annotated[
        list[RuleEntry],
        pydantic.Field(description="Costs of all usage of the metric. Default: none."),
    ] = []
    thresholds: Annotated[
        list[LevelEntry],
        pydantic.Field(description="Costs by the quantity. Default: none."),
    ] = []
    fields: Annotated[
        dict[Name, Field],
        pydantic.Field(
            description="Rules by the name of a label: one of the metric's groupby or metadata in "
            "metrics.yml, or year, month, day_of_the_year or week_of_the_year of the period's "
            "start in UTC. Default: none."
        ),
    ] = {}


class RulesFile(_Strict):
    """All price rules. A rule that is in force and that the file lacks is closed."""

    model_config = pydantic.ConfigDict(title="ratekit price rules")

    services: Annotated[
        dict[Name, Service],
        pydantic.Field(
            description="Rules by the public name of a metric: its alt_name in metrics.yml, or "
            "else its key."
        ),
    ]


#: Messages for keys that belong to another kind of rule.
HINTS = {
    "value": "only mappings of a field have a value; a service's mapping always matches",
    "level": "only thresholds have a level",
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors and the reference."""
    schema: dict[str, Any] = RulesFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
