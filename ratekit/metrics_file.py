"""metrics.yml -> metrics, with the line of every mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import pydantic

from ratekit import errors, yaml_file
from ratekit.domain.metric import Metric, Mutate
from ratekit.interfaces import Collector

# No leading zeros: YAML 1.1 would read 010 as eight.
_NUMBER = r"((?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?)"
_FRACTION = re.compile(rf"\s*([-+]?){_NUMBER}\s*(?:/\s*{_NUMBER}\s*)?\Z")
_NOT_BUILT = "is not built yet; take the key out"
#: Keys that CloudKitty has and ratekit will have.
NOT_BUILT = {
    key: _NOT_BUILT
    for key in ("description", "mutate_map", "skip_datapoints_expression", "custom_query")
}


def _exact(value: object) -> Fraction:
    """Read a number or a fraction such as 1/1048576, exactly."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Fraction(value)
    match = _FRACTION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"expected a number or a fraction such as 1/1024, not {yaml_file.shown(value)}"
        )
    divisor = Fraction(match[3] or 1)
    if not divisor:
        raise ValueError(f"divides by zero: {value!r}")
    return Fraction(match[1] + match[2]) / divisor


def _mutate(value: object) -> Mutate:
    names = [one.name for one in Mutate]
    if value == "MAP":
        raise ValueError("MAP is not built yet")
    if value not in names:
        hint = errors.nearest(str(value), names)
        raise ValueError(f"expected one of {', '.join(names)}, not {yaml_file.shown(value)}{hint}")
    return Mutate[str(value)]


def _names(value: Sequence[str]) -> Sequence[str]:
    twice = {name for name in value if value.count(name) > 1}
    if twice:
        raise ValueError(f"names {min(twice)!r} twice")
    return value


def _unpadded(value: str) -> str:
    if value != value.strip():
        raise ValueError(f"has blanks at its begin or end: {value!r}")
    return value


#: Gnocchi takes a name with one of these for a pattern, and would rate what matches as one.
_WILDCARDS = "*?[]"

Name = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255),
    pydantic.AfterValidator(_unpadded),
]
Number = Annotated[Any, pydantic.AfterValidator(_exact)]
Names = Annotated[list[Name], pydantic.AfterValidator(_names)]


class Entry(pydantic.BaseModel):
    """One metric's keys, the collector's ``extra_args`` aside."""

    model_config = pydantic.ConfigDict(extra="forbid")

    unit: Name
    factor: Number = pydantic.Field(default=1, validate_default=True)
    offset: Number = pydantic.Field(default=0, validate_default=True)
    alt_name: Name | None = None
    groupby: Names = []
    metadata: Names = []
    mutate: Annotated[Any, pydantic.AfterValidator(_mutate)] = pydantic.Field(
        default="NONE", validate_default=True
    )
    extra_args: Any

    @pydantic.field_validator("metadata")
    @classmethod
    def _apart(cls, value: list[str], info: pydantic.ValidationInfo) -> list[str]:
        both = set(value) & set(info.data.get("groupby", ()))
        if both:
            raise ValueError(f"{min(both)!r} is in groupby already")
        return value


def load(path: str, collector: Collector) -> tuple[Metric, ...]:
    """Read a metrics.yml.

    Each entry is looked at by itself, so that a mistake in one hides none in another.

    :param collector: whose settings the metrics' ``extra_args`` are
    :raises ratekit.errors.BadInput: with all mistakes
    """
    document = yaml_file.read(path)
    file, mistakes = yaml_file.attempt(document, (), document.data, pydantic.TypeAdapter(_File))
    definitions = file.metrics if file else _definitions(document.data)
    schema = _adapter(collector.extra_args)
    metrics = []
    for name, data in definitions.items():
        entry, wrong = yaml_file.attempt(document, ("metrics", name), data, schema, NOT_BUILT)
        mistakes += wrong
        if entry is not None:
            metrics.append(_metric(name, entry))
        mistakes += _refusals(document, name, data, collector)
    mistakes += _namesakes(document, definitions)
    document.refuse(mistakes)
    return tuple(metrics)


def labels(path: str, scope_key: str) -> dict[str, frozenset[str]]:
    """Return the public names in a metrics.yml with their labels, as far as it can be read.

    For hints only: whoever rates with a file that is wrong is told so.

    :param scope_key: the label that every usage has
    :returns: nothing where the file cannot be read
    """
    try:
        definitions = _definitions(yaml_file.read(path).data)
    except errors.BadInput:
        return {}
    found: dict[str, frozenset[str]] = {}
    for name, data in definitions.items():
        entry = data if isinstance(data, dict) else {}
        settings = entry.get("extra_args")
        key = settings.get("resource_key", "id") if isinstance(settings, dict) else "id"
        names = {scope_key, str(key)}
        for part in ("groupby", "metadata"):
            given = entry.get(part)
            names |= {str(one) for one in given} if isinstance(given, list) else set()
        found[_public_name(name, data)] = frozenset(names)
    return found


def _public_name(name: str, data: Any) -> str:
    given = data.get("alt_name") if isinstance(data, dict) else None
    return given if given and isinstance(given, str) else name


def _metric_name(name: str) -> str:
    found = [letter for letter in _WILDCARDS if letter in name]
    if found:
        raise ValueError(f"has {found[0]!r}, which would be a pattern; name one metric")
    return name


def _no_list(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("a list of definitions is not built yet; expected a mapping (key: value)")
    return value


MetricName = Annotated[Name, pydantic.AfterValidator(_metric_name)]


class _File(pydantic.BaseModel):
    """The file around its entries."""

    model_config = pydantic.ConfigDict(extra="forbid")

    metrics: Annotated[dict[MetricName, Any], pydantic.Field(min_length=1)]


def _definitions(data: Any) -> dict[str, Any]:
    """Return what looks like entries in a file that is not what it should be."""
    metrics = data.get("metrics") if isinstance(data, dict) else None
    return metrics if isinstance(metrics, dict) else {}


def _adapter(extra_args: type[Any]) -> pydantic.TypeAdapter[Entry]:
    """An entry's schema with the collector's dataclass in it."""
    entry: Any = pydantic.create_model("Entry", __base__=Entry, extra_args=(extra_args, ...))
    return pydantic.TypeAdapter(Annotated[entry, pydantic.BeforeValidator(_no_list)])


def _refusals(
    document: yaml_file.Document, name: str, data: Any, collector: Collector
) -> list[errors.Mistake]:
    """Return what the collector says to its settings, whatever the other keys are like."""
    settings = data.get("extra_args") if isinstance(data, dict) else None
    known: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(collector.extra_args)
    place: yaml_file.Path = ("metrics", name, "extra_args")
    args, wrong = yaml_file.attempt(document, place, settings, known)
    if wrong:
        return []  # told with the entry
    plain = Entry(unit="any", extra_args=args)
    refusals = collector.refusals(_metric(name, plain))
    return [document.mistake((*place, key), text) for key, text in refusals.items()]


def _metric(name: str, entry: Entry) -> Metric:
    return Metric(
        name=name,
        public_name=entry.alt_name or name,
        unit=entry.unit,
        factor=entry.factor,
        offset=entry.offset,
        groupby=tuple(entry.groupby),
        metadata=tuple(entry.metadata),
        mutate=entry.mutate,
        extra_args=entry.extra_args,
    )


def _namesakes(
    document: yaml_file.Document, definitions: Mapping[str, Any]
) -> Iterator[errors.Mistake]:
    """Two metrics with one public name would be one service to the price rules."""
    owner: dict[str, str] = {}
    for name, data in definitions.items():
        public = _public_name(name, data)
        first = owner.setdefault(public, name)
        if first != name:
            text = f"has the public name {public!r}, which {first!r} has already"
            yield document.mistake(("metrics", name), text)
