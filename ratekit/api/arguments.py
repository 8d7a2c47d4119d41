"""Arguments of requests: from paths, queries and JSON bodies into models.

Models refuse what they do not know, so that a misspelt filter never selects everything.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

import pydantic

from ratekit import errors
from ratekit.admin import zones
from ratekit.api.faults import Fault
from ratekit.api.visibility import Demand

#: Decimals that are longer are no amounts; converting them takes long.
_MAX_DIGITS = 100
#: As many as people read; and characters of each part of a place.
_MAX_MISTAKES, _LONGEST_PART = 10, 60
_TRUE, _FALSE = (
    frozenset({"true", "1", "yes", "on", "t", "y"}),
    frozenset({"false", "0", "no", "off", "f", "n"}),
)
#: Most names of filters, and most values of all of them.
_MAX_NAMES, _MAX_VALUES = 20, 1_000
_PAIR = re.compile(r"([^:]+):(.*)", re.DOTALL)


class Arguments(pydantic.BaseModel):
    """Arguments of an operation; without fields it takes none."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    def demand(self, scope_key: str) -> Demand:
        """Return the scopes that the request asks for.

        :param scope_key: the label that names a frame's scope
        """
        return Demand()


M = TypeVar("M", bound=Arguments)


def read(model: type[M], values: Mapping[str, Any]) -> M:
    """Return the arguments of a request.

    :raises ratekit.api.faults.Fault: an argument is unknown, missing or wrong
    """
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise Fault(400, "; ".join(_describe_all(error, model))) from None


def _describe_all(error: pydantic.ValidationError, model: type[Arguments]) -> Iterator[str]:
    for mistake in itertools.islice(error.errors(include_url=False), _MAX_MISTAKES):
        yield _describe(mistake, model)
    if error.error_count() > _MAX_MISTAKES:
        yield f"and {error.error_count() - _MAX_MISTAKES} more"


def _describe(mistake: Any, model: type[Arguments]) -> str:
    place = ".".join(str(part)[:_LONGEST_PART] for part in mistake["loc"])
    field = model.model_fields.get(place)
    name = field.title if field is not None and field.title else place
    match mistake["type"]:
        case "extra_forbidden":
            hint = errors.suggestion(place, model.model_fields)
            return f"unknown argument {place!r}{hint}"
        case "missing":
            return f"{name}: missing"
        case _:
            text = mistake["msg"].removeprefix("Value error, ")
            return f"{name}: {text}" if name else text


def first_text(value: Any) -> Any:
    """Return the last of repeated texts, or the value."""
    return value[-1] if isinstance(value, list) and value else value


def parse_instant(value: Any) -> datetime.datetime:
    """Return an ISO 8601 time as UTC; without an offset it is UTC, a date is its midnight.

    Microseconds are cut.

    :raises ValueError: it is none
    """
    time = parse_time(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=datetime.UTC)


def parse_time(value: Any) -> datetime.datetime:
    """Return an ISO 8601 time as UTC; without an offset as it is, naive.

    Microseconds are cut.

    :raises ValueError: it is none
    """
    value = first_text(value)
    if isinstance(value, str) and len(value) <= 40:
        try:
            time = datetime.datetime.fromisoformat(value.strip()).replace(microsecond=0)
            return time if time.tzinfo is None else time.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"expected a time such as 2026-01-31T12:00:00, not {short_text(value)}")


def parse_bool(value: Any) -> bool:
    """Return a word, such as ``True`` or ``0``, as a truth value.

    :raises ValueError: it is none
    """
    word = str(first_text(value)).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"expected true or false, not {short_text(value)}")
    return word in _TRUE


def parse_decimal(value: Any) -> Decimal:
    """Return a JSON number or a text exactly.

    :raises ValueError: it is not a finite number
    """
    value = first_text(value)
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        text = str(value).strip()
        try:
            number = Decimal(text) if len(text) <= _MAX_DIGITS and "_" not in text else None
        except InvalidOperation:
            number = None
        if number is not None and number.is_finite():
            return number
    raise ValueError(f"expected a number, not {short_text(value)}")


def split_words(value: Any) -> tuple[str, ...]:
    """Return repeated and comma separated words, in their order, each once.

    :raises ValueError: there is something else
    """
    parts = value if isinstance(value, list) else [value]
    words = [_require_text(part).split(",") for part in parts]
    return tuple(dict.fromkeys(word.strip() for part in words for word in part if word.strip()))


def split_pairs(value: Any) -> dict[str, frozenset[str]]:
    """Return ``key:value`` pairs, comma separated or repeated, or a JSON object, by key.

    :raises ValueError: there is something else
    """
    if isinstance(value, Mapping):
        return {
            str(key): frozenset(map(_require_text, entry if isinstance(entry, list) else [entry]))
            for key, entry in value.items()
        }
    pairs: dict[str, set[str]] = {}
    for word in split_words(value):
        match = _PAIR.fullmatch(word)
        if match is None:
            raise ValueError(f"expected key:value, not {short_text(word)}")
        pairs.setdefault(match[1].strip(), set()).add(match[2].strip())
    return {key: frozenset(values) for key, values in pairs.items()}


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, not {short_text(value)}")
    return value


def short_text(value: Any) -> str:
    """Return a value as messages quote it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_clean(value: Any) -> Any:
    """Refuse what no database stores as text."""
    if isinstance(value, str) and ("\0" in value or not value.isprintable()):
        raise ValueError(f"expected printable text, not {short_text(value)}")
    return value


def _require_zone(name: str) -> str:
    try:
        zones.read_zone(name)
    except errors.OperatorError as error:
        raise ValueError(str(error)) from None
    return name


def _require_few(pairs: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Refuse more conditions than a database should compare each row with."""
    if len(pairs) > _MAX_NAMES:
        raise ValueError(f"expected at most {_MAX_NAMES} names, not {len(pairs):,}")
    count = sum(map(len, pairs.values()))
    if count > _MAX_VALUES:
        raise ValueError(f"expected at most {_MAX_VALUES:,} values, not {count:,}")
    return pairs


Instant = Annotated[datetime.datetime, pydantic.BeforeValidator(parse_instant)]
#: A time of a zone that another argument names, unless it has an offset.
LocalTime = Annotated[datetime.datetime, pydantic.BeforeValidator(parse_time)]
Flag = Annotated[bool, pydantic.BeforeValidator(parse_bool)]
Flags = Annotated[
    tuple[bool, ...],
    pydantic.BeforeValidator(lambda value: tuple(map(parse_bool, split_words(value)))),
]
Number = Annotated[
    Decimal,
    pydantic.BeforeValidator(parse_decimal),
    pydantic.WithJsonSchema({"type": ["number", "string"]}),
]
Words = Annotated[tuple[str, ...], pydantic.BeforeValidator(split_words)]
Pairs = Annotated[
    dict[str, frozenset[str]],
    pydantic.AfterValidator(_require_few),
    pydantic.BeforeValidator(split_pairs),
    # In a query they are words.
    pydantic.WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": "^[^:]+:"}}),
]
Text = Annotated[
    str,
    pydantic.BeforeValidator(first_text),
    pydantic.AfterValidator(_require_clean),
    pydantic.StringConstraints(max_length=255),
]
#: The name of a time zone, for :func:`ratekit.admin.zones.read_zone`.
Zone = Annotated[Text, pydantic.AfterValidator(_require_zone)]
Offset = Annotated[int, pydantic.BeforeValidator(first_text), pydantic.Field(ge=0, le=10**9)]
Count = Annotated[int, pydantic.BeforeValidator(first_text), pydantic.Field(ge=1, le=10**9)]


def merge(sources: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the arguments of all sources; a later one has precedence."""
    return {key: value for source in sources for key, value in source.items()}


def query_values(query: Mapping[str, str | Sequence[str]]) -> Mapping[str, Any]:
    """Return the arguments of a parsed query string."""
    return {key: list(v) if isinstance(v, list) else v for key, v in query.items()}
