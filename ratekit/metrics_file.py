"""metrics.yml -> metrics, with the line of every mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)]
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

    :param collector: whose settings the metrics' ``extra_args`` are
    :raises ratekit.errors.BadInput: with all mistakes
    """
    document = yaml_file.read(path)
    entries = yaml_file.validate(document, _adapter(collector.extra_args), NOT_BUILT).metrics
    metrics = tuple(_metric(name, entry) for name, entry in entries.items())
    mistakes = _namesakes(document, metrics) + [
        document.mistake(("metrics", metric.name, "extra_args", key), text)
        for metric in metrics
        for key, text in collector.refusals(metric).items()
    ]
    if mistakes:
        raise errors.BadInput(sorted(mistakes, key=lambda mistake: mistake.line or 0))
    return metrics


def _one_definition(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("a list of definitions is not built yet; expected a mapping (key: value)")
    return value


def _adapter(extra_args: type[Any]) -> pydantic.TypeAdapter[Any]:
    """The file's schema with the collector's dataclass in it."""
    entry: Any = pydantic.create_model("Entry", __base__=Entry, extra_args=(extra_args, ...))
    definition: Any = Annotated[entry, pydantic.BeforeValidator(_one_definition)]
    metrics: Any = Annotated[dict[Name, definition], pydantic.Field(min_length=1)]
    file: Any = pydantic.create_model(
        "File", __config__=pydantic.ConfigDict(extra="forbid"), metrics=(metrics, ...)
    )
    return pydantic.TypeAdapter(file)


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


def _namesakes(document: yaml_file.Document, metrics: Sequence[Metric]) -> list[errors.Mistake]:
    """Two metrics with one public name would be one service to the price rules."""
    owner: dict[str, str] = {}
    mistakes = []
    for metric in metrics:
        first = owner.setdefault(metric.public_name, metric.name)
        if first != metric.name:
            text = f"has the public name {metric.public_name!r}, which {first!r} has already"
            mistakes.append(document.mistake(("metrics", metric.name), text))
    return mistakes
