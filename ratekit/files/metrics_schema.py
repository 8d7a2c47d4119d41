"""What may stand in a metrics.yml: one schema for validation, documentation and editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

import pydantic

from ratekit import errors
from ratekit.domain.usage import mutation, number
from ratekit.domain.usage.mutation import Mutate
from ratekit.files import skip_expression, yaml_file

#: Gnocchi takes a name with one of these for a pattern, and would rate what matches as one.
_WILDCARDS = "*?[]"
_EXACT = {"type": ["number", "string"], "examples": [1, "1/1048576"]}


def _exact(value: object) -> Fraction:
    if value is None or isinstance(value, bool | list | dict):
        raise ValueError(
            f"expected a number or a fraction such as 1/1024, not {yaml_file.shown(value)}"
        )
    return number.read(value)


def _mutate(value: object) -> Mutate:
    names = [one.name for one in Mutate]
    if value not in names:
        hint = errors.nearest(str(value), names)
        raise ValueError(f"expected one of {', '.join(names)}, not {yaml_file.shown(value)}{hint}")
    return Mutate[str(value)]


def _map(value: Any) -> Mapping[Fraction, Fraction]:
    return mutation.read_map(value)


def _skip(value: str) -> str:
    skip_expression.compile_skip("metric", value)
    return value


def _names(value: Sequence[str]) -> Sequence[str]:
    twice = {name for name in value if value.count(name) > 1}
    if twice:
        raise ValueError(f"names {min(twice)!r} twice")
    return value


def _unpadded(value: str) -> str:
    if value != value.strip():
        raise ValueError(f"has blanks at its begin or end: {value!r}")
    return value


def _metric_name(name: str) -> str:
    found = [letter for letter in _WILDCARDS if letter in name]
    if found:
        raise ValueError(f"has {found[0]!r}, which would be a pattern; name one metric")
    return name


Name = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255),
    pydantic.AfterValidator(_unpadded),
]
MetricName = Annotated[Name, pydantic.AfterValidator(_metric_name)]
Number = Annotated[Any, pydantic.AfterValidator(_exact), pydantic.WithJsonSchema(_EXACT)]
Names = Annotated[list[Name], pydantic.AfterValidator(_names)]
Mutation = Annotated[
    Any,
    pydantic.AfterValidator(_mutate),
    pydantic.WithJsonSchema({"enum": [one.name for one in Mutate]}),
]
MutateMap = Annotated[
    Any,
    pydantic.AfterValidator(_map),
    pydantic.WithJsonSchema({"type": "object", "additionalProperties": _EXACT}),
]
Expression = Annotated[str, pydantic.AfterValidator(_skip)]


class MetricEntry(pydantic.BaseModel):
    """One metric's keys, the collector's ``extra_args`` aside."""

    model_config = pydantic.ConfigDict(extra="forbid")

    unit: Annotated[Name, pydantic.Field(description="Unit of the quantity, for people.")]
    description: Annotated[
        str | None, pydantic.Field(description="What the metric is, for people.")
    ] = None
    alt_name: Annotated[
        Name | None,
        pydantic.Field(description="Public name: what price rules, frames and reports call it."),
    ] = None
    factor: Number = pydantic.Field(
        default=1,
        validate_default=True,
        description="quantity = value * factor + offset; a number or a fraction such as 1/1024, "
        "exact.",
    )
    offset: Number = pydantic.Field(
        default=0, validate_default=True, description="Added after the factor; exact."
    )
    mutate: Mutation = pydantic.Field(
        default="NONE",
        validate_default=True,
        description="Last step of the conversion: NUMBOOL makes 1 of all but 0, NOTNUMBOOL the "
        "opposite; FLOOR and CEIL round; MAP looks up mutate_map.",
    )
    mutate_map: MutateMap | None = pydantic.Field(
        default=None,
        validate_default=True,
        description="For mutate: MAP: value after factor and offset -> quantity, compared "
        "exactly; others become 0.",
    )
    prorate: Annotated[
        bool,
        pydantic.Field(
            description="Scale a quantity by the share of the period between the resource's "
            "started_at and ended_at.",
        ),
    ] = False
    skip_zero: Annotated[bool, pydantic.Field(description="Do not store usages of nothing.")] = (
        False
    )
    skip_datapoints_expression: Annotated[
        Expression | None,
        pydantic.Field(
            description="Do not store rated points for which this is true, such as "
            'datapoint.get("vol", {}).get("qty", 0) == 0.',
        ),
    ] = None
    groupby: Annotated[
        Names,
        pydantic.Field(description="Attributes that tell usages apart; become labels."),
    ] = []
    metadata: Annotated[
        Names, pydantic.Field(description="Further attributes to price by and to report.")
    ] = []
    extra_args: Annotated[Any, pydantic.Field(description="Settings of the collector.")]

    @pydantic.field_validator("metadata")
    @classmethod
    def _apart(cls, value: list[str], info: pydantic.ValidationInfo) -> list[str]:
        both = set(value) & set(info.data.get("groupby", ()))
        if both:
            raise ValueError(f"{min(both)!r} is in groupby already")
        return value

    @pydantic.field_validator("mutate_map")
    @classmethod
    def _with_map(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        mutate = info.data.get("mutate")
        if mutate is Mutate.MAP and value is None:
            raise ValueError("is required by mutate: MAP")
        if isinstance(mutate, Mutate) and mutate is not Mutate.MAP and value is not None:
            raise ValueError(f"is for mutate: MAP, not for {mutate.name}")
        return value


class MetricsFile(pydantic.BaseModel):
    """The file around its entries."""

    model_config = pydantic.ConfigDict(extra="forbid")

    metrics: Annotated[dict[MetricName, Any], pydantic.Field(min_length=1)]


def entry(extra_args: type[Any]) -> pydantic.TypeAdapter[MetricEntry]:
    """Return an entry's schema with the collector's dataclass in it."""
    model: Any = pydantic.create_model("Entry", __base__=MetricEntry, extra_args=(extra_args, ...))
    return pydantic.TypeAdapter(model)


def json_schema(extra_args: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a whole file, for editors.

    :param extra_args: the collector's dataclass
    """
    model: Any = pydantic.create_model("Entry", __base__=MetricEntry, extra_args=(extra_args, ...))
    several: Any = model | Annotated[list[model], pydantic.Field(min_length=1)]
    file: Any = pydantic.create_model(
        "File",
        __config__=pydantic.ConfigDict(extra="forbid", title="ratekit metrics.yml"),
        metrics=(dict[str, several], pydantic.Field(min_length=1)),
    )
    schema: dict[str, Any] = pydantic.TypeAdapter(file).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
