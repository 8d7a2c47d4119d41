"""A metric's ``extra_args`` for the Gnocchi collector; the names are CloudKitty's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pydantic

from ratekit.collectors.gnocchi import custom_query as queries
from ratekit.collectors.gnocchi.custom_query import Aggregation
from ratekit.domain.usage.reducers import RATE, RATES, REDUCERS, default_reducer
from ratekit.errors import suggestion

_METHODS = (
    "mean", "sum", "last", "max", "min", "std", "median", "first", "count", "nunique",
)  # fmt: skip
_PERCENTILE = re.compile(r"[1-9][0-9]?pct\Z")
#: 366 days.
_LONGEST_GAP = 366 * 86400
#: Gnocchi reads a name with one of these as a pattern, and combines all metrics that match.
_WILDCARD = re.compile(r"[*?\[\]]")


def _aggregation_method(value: str) -> str:
    method = value.removeprefix(RATE)
    if method not in _METHODS and not _PERCENTILE.match(method):
        methods = ", ".join(_METHODS)
        raise ValueError(
            f"expected one of {methods}, 1pct to 99pct, or one of them after 'rate:', "
            f"not {value!r}{suggestion(method, _METHODS)}"
        )
    return value


def _re_aggregation_method(value: str) -> str:
    method = value.removeprefix(RATE)
    if method in (REDUCERS if method == value else RATES):
        return value
    methods = ", ".join(sorted(REDUCERS))
    raise ValueError(
        f"expected one of {methods}, or one of {', '.join(RATES)} after 'rate:', "
        f"not {value!r}{suggestion(method, REDUCERS)}"
    )


def _custom_query(value: str) -> str:
    if value:
        # Any metric and methods will do; the real ones are checked with the whole metric.
        queries.read(queries.fill(value, "max", "max", "METRIC_NAME"))
    return value


def _granularity(value: int) -> int:
    if value < 0:
        raise ValueError(f"expected seconds, not {value}")
    return value


def _counter_gap(value: int) -> int:
    if not 0 < value <= _LONGEST_GAP:
        raise ValueError(f"expected 1 to {_LONGEST_GAP} seconds, not {value}")
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class GnocchiArgs:
    """Settings of one metric."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = {"extra": "forbid"}

    resource_type: Annotated[
        str,
        pydantic.StringConstraints(min_length=1),
        pydantic.Field(description="Type, in Gnocchi, of the resources that have the metric."),
    ]
    resource_key: Annotated[
        str,
        pydantic.StringConstraints(min_length=1),
        pydantic.Field(description="Attribute that distinguishes resources; becomes a label."),
    ] = "id"
    aggregation_method: Annotated[
        str,
        pydantic.AfterValidator(_aggregation_method),
        pydantic.Field(
            description="Aggregation method of the stored aggregates to read.",
            examples=[*_METHODS, "95pct", "rate:mean"],
        ),
    ] = "max"
    re_aggregation_method: Annotated[
        str | None,
        pydantic.AfterValidator(lambda v: v if v is None else _re_aggregation_method(v)),
        pydantic.Field(
            description="How the aggregates of a period are reduced to one value; by default "
            "the method that fits the aggregation method. With the prefix rate:, how the "
            "differences between the aggregates are.",
            examples=[*REDUCERS, "rate:sum"],
        ),
    ] = None
    # Strict, because a lax integer accepts true as 1.
    force_granularity: Annotated[
        int,
        pydantic.Strict(),
        pydantic.AfterValidator(_granularity),
        pydantic.Field(
            description="Length of an aggregate in seconds; must divide the collect period. 0: for "
            "each archive policy, the largest granularity that divides it."
        ),
    ] = 3600
    use_all_resource_revisions: Annotated[
        bool,
        pydantic.Field(
            description="true splits a period by time between the labels that a resource had in "
            "it; false assigns all of it to the last ones."
        ),
    ] = True
    custom_query: Annotated[
        str,
        pydantic.AfterValidator(_custom_query),
        pydantic.Field(
            description="Operations to apply to each aggregate, with CloudKitty's placeholders; "
            "empty: none."
        ),
    ] = ""

    first_value: Annotated[
        Literal["ignore", "count"],
        pydantic.Field(
            description="Whether the first value of a counter is usage. count: the metric's "
            "counters start at 0 with their resources; a first value counts if the resource "
            "started at most counter_gap before it. Only with re_aggregation_method rate:METHOD."
        ),
    ] = "ignore"
    counter_gap: Annotated[
        int,
        pydantic.Strict(),
        pydantic.AfterValidator(_counter_gap),
        pydantic.Field(
            description="Seconds for which a counter may be silent; its growth since then counts "
            "in the period in which it is seen. The growth over a longer gap is not charged. Only "
            "with re_aggregation_method rate:METHOD."
        ),
    ] = 86400
    negative: Annotated[
        Literal["zero", "keep"],
        pydantic.Field(
            description="What becomes of values below zero, before factor, offset and mutate. "
            "With rate: methods each aggregate is judged, otherwise the value of the period."
        ),
    ] = "zero"

    def aggregation(self, metric: str) -> Aggregation:
        """Return what to read, and how to convert and reduce it.

        :param metric: its name in Gnocchi
        :raises ValueError: the custom query is not valid
        """
        method = self.re_aggregation_method or default_reducer(self.aggregation_method)
        if not self.custom_query:
            return Aggregation(metric, self.aggregation_method, method)
        text = queries.fill(self.custom_query, method, self.aggregation_method, metric)
        return queries.read(text)


def contradictions(args: GnocchiArgs, metric: str, prorate: bool) -> Mapping[str, str]:
    """Return settings that contradict each other: key -> what is expected.

    :param metric: its name in Gnocchi
    :param prorate: whether a period costs the share for which the resource existed
    """
    try:
        aggregation = args.aggregation(metric)
        if args.custom_query:
            _aggregation_method(aggregation.aggregation_method)
            _re_aggregation_method(aggregation.re_aggregation_method)
    except ValueError as error:
        return {"custom_query": str(error)}
    if _WILDCARD.search(aggregation.metric) and args.custom_query:
        return {
            "custom_query": f"has the pattern {aggregation.metric!r}; expected one metric's name"
        }
    return _method_contradictions(args, aggregation, prorate)


def _method_contradictions(
    args: GnocchiArgs, aggregation: Aggregation, prorate: bool
) -> Mapping[str, str]:
    reducer, stored = aggregation.re_aggregation_method, aggregation.aggregation_method
    if args.re_aggregation_method is not None:
        key = "re_aggregation_method"
    else:
        key = "custom_query" if args.custom_query else "aggregation_method"
    if not reducer.startswith(RATE) and args.first_value != "ignore":
        return {"first_value": f"'count' needs re_aggregation_method rate:METHOD, not {reducer!r}"}
    if reducer.startswith(RATE) and stored.startswith(RATE):
        return {key: f"{reducer!r} of {stored!r} would be differences of differences"}
    if prorate and (reducer in ("sum", "count") or RATE in reducer or RATE in stored):
        return {
            key: f"{reducer!r} of {stored!r} counts usage only while the resource exists, so "
            "it cannot be prorated; remove prorate or use another method"
        }
    return {}
