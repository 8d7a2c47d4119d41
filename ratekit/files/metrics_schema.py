"""The schema of metrics.yml, for validation, documentation and editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

import pydantic

from ratekit import errors
from ratekit.domain.reporting.service_categories import CATEGORIES
from ratekit.domain.usage import mutation, number
from ratekit.domain.usage.mutation import Mutate
from ratekit.files import skip_expression, yaml_file

#: Gnocchi reads a name with one of these as a pattern and would sum up all metrics that match.
_WILDCARDS = "*?[]"
_EXACT = {"type": ["number", "string"], "examples": [1, "1/1048576"]}


def _exact(value: object) -> Fraction:
    if value is None or isinstance(value, bool | list | dict):
        raise ValueError(
            f"expected a number or a fraction such as 1/1024, not {yaml_file.value_text(value)}"
        )
    return number.read(value)


def _mutate(value: object) -> Mutate:
    names = [mutate.name for mutate in Mutate]
    if value not in names:
        hint = errors.suggestion(str(value), names)
        raise ValueError(
            f"expected one of {', '.join(names)}, not {yaml_file.value_text(value)}{hint}"
        )
    return Mutate[str(value)]


def _map(value: Any) -> Mapping[Fraction, Fraction]:
    return mutation.read_map(value)


def _skip(value: str) -> str:
    skip_expression.compile_skip("metric", value)
    return value


def _subcategory(value: str) -> str:
    if value not in CATEGORIES:
        hint = errors.suggestion(value, CATEGORIES)
        raise ValueError(
            f"expected a service subcategory of FOCUS such as Virtual Machines, not {value!r}{hint}"
        )
    return value


def _names(value: Sequence[str]) -> Sequence[str]:
    duplicates = {name for name in value if value.count(name) > 1}
    if duplicates:
        raise ValueError(f"contains {min(duplicates)!r} twice")
    return value


def _require_trimmed(value: str) -> str:
    if value != value.strip():
        raise ValueError(f"has leading or trailing whitespace: {value!r}")
    return value


def _metric_name(name: str) -> str:
    wildcards = [letter for letter in _WILDCARDS if letter in name]
    if wildcards:
        raise ValueError(
            f"contains {wildcards[0]!r}, which makes it a pattern; expected the name of one metric"
        )
    return name


Name = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255),
    pydantic.AfterValidator(_require_trimmed),
]
MetricName = Annotated[Name, pydantic.AfterValidator(_metric_name)]
Number = Annotated[Any, pydantic.AfterValidator(_exact), pydantic.WithJsonSchema(_EXACT)]
Names = Annotated[list[Name], pydantic.AfterValidator(_names)]
Mutation = Annotated[
    Any,
    pydantic.AfterValidator(_mutate),
    pydantic.WithJsonSchema({"enum": [mutate.name for mutate in Mutate]}),
]
MutateMap = Annotated[
    Any,
    pydantic.AfterValidator(_map),
    pydantic.WithJsonSchema({"type": "object", "additionalProperties": _EXACT}),
]
Expression = Annotated[str, pydantic.AfterValidator(_skip)]
Subcategory = Annotated[
    str,
    pydantic.AfterValidator(_subcategory),
    pydantic.WithJsonSchema({"enum": list(CATEGORIES)}),
]


class FocusService(pydantic.BaseModel):
    """The service that a metric belongs to in exports as FOCUS."""

    model_config = pydantic.ConfigDict(extra="forbid")

    service: Annotated[
        Name,
        pydantic.Field(
            description="Name of the service, such as Compute. Metrics of one service have one "
            "subcategory."
        ),
    ]
    subcategory: Annotated[
        Subcategory,
        pydantic.Field(description="Its service subcategory; the category follows from it."),
    ]


class MetricEntry(pydantic.BaseModel):
    """A definition of a metric; the collector defines ``extra_args``."""

    model_config = pydantic.ConfigDict(extra="forbid")

    unit: Annotated[Name, pydantic.Field(description="Unit of the quantity; shown in reports.")]
    description: Annotated[
        str | None,
        pydantic.Field(description="What the metric measures, for people. Default: none."),
    ] = None
    alt_name: Annotated[
        Name | None,
        pydantic.Field(
            description="Public name: the name of the metric in price rules, frames and reports. "
            "No two definitions may share it. Default: the metric's key in this file."
        ),
    ] = None
    factor: Number = pydantic.Field(
        default=1,
        validate_default=True,
        description="The collected value is multiplied by it: quantity = value * factor + offset. "
        "A number or a fraction such as 1/1024, used exactly. Default: 1.",
    )
    offset: Number = pydantic.Field(
        default=0,
        validate_default=True,
        description="Added after the multiplication by factor, in the metric's unit. A number or a "
        "fraction, used exactly. Default: 0.",
    )
    mutate: Mutation = pydantic.Field(
        default="NONE",
        validate_default=True,
        description="Last step of the conversion. NONE: no change. NUMBOOL: 0 stays 0, all other "
        "values become 1. NOTNUMBOOL: 0 becomes 1, all other values become 0. FLOOR: round down. "
        "CEIL: round up. MAP: use mutate_map. Default: NONE.",
    )
    mutate_map: MutateMap | None = pydantic.Field(
        default=None,
        validate_default=True,
        description="Quantities by value, for mutate: MAP. A value after factor and offset must "
        "equal a key exactly; all other values become 0. Default: none.",
    )
    prorate: Annotated[
        bool,
        pydantic.Field(
            description="If true, multiply a quantity by the share of the period between the "
            "resource's started_at and ended_at. Default: false.",
        ),
    ] = False
    skip_zero: Annotated[
        bool,
        pydantic.Field(description="If true, do not store usage with quantity 0. Default: false."),
    ] = False
    skip_datapoints_expression: Annotated[
        Expression | None,
        pydantic.Field(
            description="Do not store a rated point for which this expression is true, such as "
            'datapoint.get("vol", {}).get("qty", 0) == 0. Default: '
            "[orchestrator] skip_datapoints_expression in ratekit.conf.",
        ),
    ] = None
    groupby: Annotated[
        Names,
        pydantic.Field(
            description="Attributes of the resource that become labels; usage with different "
            "labels is rated separately. Default: none."
        ),
    ] = []
    metadata: Annotated[
        Names,
        pydantic.Field(
            description="Further attributes of the resource that become labels, for price rules "
            "and reports. Default: none."
        ),
    ] = []
    focus: Annotated[
        FocusService | None,
        pydantic.Field(
            description="The service in exports as FOCUS. Default: by the resource type."
        ),
    ] = None
    extra_args: Annotated[Any, pydantic.Field(description="Options of the collector.")]

    @pydantic.field_validator("metadata")
    @classmethod
    def _require_disjoint(cls, value: list[str], info: pydantic.ValidationInfo) -> list[str]:
        both = set(value) & set(info.data.get("groupby", ()))
        if both:
            raise ValueError(f"{min(both)!r} is already in groupby")
        return value

    @pydantic.field_validator("mutate_map")
    @classmethod
    def _require_map(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        mutate = info.data.get("mutate")
        if mutate is Mutate.MAP and value is None:
            raise ValueError("is required with mutate: MAP")
        if isinstance(mutate, Mutate) and mutate is not Mutate.MAP and value is not None:
            raise ValueError(f"is allowed only with mutate: MAP, not {mutate.name}")
        return value


class MetricsFile(pydantic.BaseModel):
    """The whole file, before its definitions are checked."""

    model_config = pydantic.ConfigDict(extra="forbid")

    metrics: Annotated[dict[MetricName, Any], pydantic.Field(min_length=1)]


def entry_adapter(extra_args: type[Any]) -> pydantic.TypeAdapter[MetricEntry]:
    """Return the schema of a definition with the collector's dataclass in it."""
    model: Any = pydantic.create_model("Entry", __base__=MetricEntry, extra_args=(extra_args, ...))
    return pydantic.TypeAdapter(model)


def json_schema(extra_args: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors and the reference.

    :param extra_args: the collector's dataclass
    """
    model: Any = pydantic.create_model("Entry", __base__=MetricEntry, extra_args=(extra_args, ...))
    definitions: Any = model | Annotated[list[model], pydantic.Field(min_length=1)]
    file: Any = pydantic.create_model(
        "File",
        __config__=pydantic.ConfigDict(extra="forbid", title="ratekit metrics.yml"),
        metrics=(
            dict[str, definitions],
            pydantic.Field(
                min_length=1,
                description="Definitions by the name of the metric in the metering back end: one, "
                "or a list of them with different public names.",
            ),
        ),
    )
    schema: dict[str, Any] = pydantic.TypeAdapter(file).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
