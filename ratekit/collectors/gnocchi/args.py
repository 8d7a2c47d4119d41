"""What a metric's ``extra_args`` say to the Gnocchi collector; names are CloudKitty's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

import pydantic

from ratekit.collectors.gnocchi import custom_query as query
from ratekit.collectors.gnocchi.custom_query import Query
from ratekit.domain.usage.reducers import RATE, RATES, REDUCERS, default_reducer
from ratekit.errors import nearest

_METHODS = (
    "mean", "sum", "last", "max", "min", "std", "median", "first", "count", "nunique",
)  # fmt: skip
_PERCENTILE = re.compile(r"[1-9][0-9]?pct\Z")
#: Gnocchi takes a name with one of these for a pattern, and would rate what matches as one.
_WILDCARD = re.compile(r"[*?\[\]]")


def _aggregation_method(value: str) -> str:
    method = value.removeprefix(RATE)
    if method not in _METHODS and not _PERCENTILE.match(method):
        known = ", ".join(_METHODS)
        raise ValueError(
            f"expected one of {known}, 1pct to 99pct, or one of them after 'rate:', "
            f"not {value!r}{nearest(method, _METHODS)}"
        )
    return value


def _re_aggregation_method(value: str) -> str:
    method = value.removeprefix(RATE)
    if method in (REDUCERS if method == value else RATES):
        return value
    known = ", ".join(sorted(REDUCERS))
    raise ValueError(
        f"expected one of {known}, or one of {', '.join(RATES)} after 'rate:', "
        f"not {value!r}{nearest(method, REDUCERS)}"
    )


def _custom_query(value: str) -> str:
    if value:
        # Any metric and methods do: whether the real ones fit, the metric as a whole tells.
        query.read(query.fill(value, "max", "max", "METRIC_NAME"))
    return value


def _granularity(value: int) -> int:
    if value < 0:
        raise ValueError(f"expected seconds, not {value}")
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class GnocchiArgs:
    """Settings of one metric."""

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = {"extra": "forbid"}

    resource_type: Annotated[
        str,
        pydantic.StringConstraints(min_length=1),
        pydantic.Field(description="Gnocchi's type of the resources that carry the metric."),
    ]
    resource_key: Annotated[
        str,
        pydantic.StringConstraints(min_length=1),
        pydantic.Field(description="Attribute that tells resources apart; becomes a label."),
    ] = "id"
    aggregation_method: Annotated[
        str,
        pydantic.AfterValidator(_aggregation_method),
        pydantic.Field(
            description="Which stored aggregate is read.",
            examples=[*_METHODS, "95pct", "rate:mean"],
        ),
    ] = "max"
    re_aggregation_method: Annotated[
        str | None,
        pydantic.AfterValidator(lambda v: v if v is None else _re_aggregation_method(v)),
        pydantic.Field(
            description="How the aggregates of a period become one value; by default what fits "
            "the aggregation method. After rate:, how the differences between the aggregates do.",
            examples=[*REDUCERS, "rate:sum"],
        ),
    ] = None
    # Strict, since a lax integer takes true for 1.
    force_granularity: Annotated[
        int,
        pydantic.Strict(),
        pydantic.AfterValidator(_granularity),
        pydantic.Field(
            description="Seconds that an aggregate spans; divides the collect period. 0: of each "
            "archive policy the largest that does."
        ),
    ] = 3600
    use_all_resource_revisions: Annotated[
        bool,
        pydantic.Field(
            description="true shares a period by time between the labels that a resource had in "
            "it; false gives all of it to the last ones."
        ),
    ] = True
    custom_query: Annotated[
        str,
        pydantic.AfterValidator(_custom_query),
        pydantic.Field(
            description="What is made of each aggregate, with CloudKitty's placeholders; empty: "
            "it stays as it is."
        ),
    ] = ""

    def query(self, metric: str) -> Query:
        """Return what is asked, and what is made of it.

        :param metric: its name in Gnocchi
        :raises ValueError: the custom query cannot be understood
        """
        method = self.re_aggregation_method or default_reducer(self.aggregation_method)
        if not self.custom_query:
            return Query(metric, self.aggregation_method, method)
        return query.read(query.fill(self.custom_query, method, self.aggregation_method, metric))


def contradictions(args: GnocchiArgs, metric: str, prorate: bool) -> Mapping[str, str]:
    """Return which settings do not go together: key -> what is expected.

    :param metric: its name in Gnocchi
    :param prorate: a period is to cost as much of its quantity as the resource existed of it
    """
    try:
        asked = args.query(metric)
        if args.custom_query:
            _aggregation_method(asked.aggregation_method)
            _re_aggregation_method(asked.re_aggregation_method)
    except ValueError as error:
        return {"custom_query": str(error)}
    if _WILDCARD.search(asked.metric) and args.custom_query:
        return {"custom_query": f"has the pattern {asked.metric!r}; expected one metric's name"}
    return _mismatches(args, asked, prorate)


def _mismatches(args: GnocchiArgs, asked: Query, prorate: bool) -> Mapping[str, str]:
    reduced, stored = asked.re_aggregation_method, asked.aggregation_method
    if args.re_aggregation_method is not None:
        key = "re_aggregation_method"
    else:
        key = "custom_query" if args.custom_query else "aggregation_method"
    if reduced.startswith(RATE) and stored.startswith(RATE):
        return {key: f"{reduced!r} of {stored!r} would be differences of differences"}
    if prorate and (reduced in ("sum", "count") or RATE in reduced or RATE in stored):
        return {
            key: f"{reduced!r} of {stored!r} counts what was used while the resource existed, "
            "so it cannot be prorated; take one of the two out"
        }
    return {}
