"""What extra_args may say, and what does not go together."""

from collections.abc import Mapping

import pydantic
import pytest

from ratekit.collectors.gnocchi.args import GnocchiArgs, contradictions
from ratekit.collectors.gnocchi.custom_query import Aggregation

SCHEMA = pydantic.TypeAdapter(GnocchiArgs)
TEMPLATE = "(aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD))"


def read(**settings: object) -> GnocchiArgs:
    return SCHEMA.validate_python({"resource_type": "instance", **settings})


@pytest.mark.parametrize("method", ["first", "last", "max", "mean", "median", "min", "sum"])
def test_differences_may_be_reduced_by(method: str) -> None:
    args = read(re_aggregation_method=f"rate:{method}")
    assert args.aggregation("cpu") == Aggregation("cpu", "max", f"rate:{method}")


@pytest.mark.parametrize(
    "method", ["rate:count", "rate:std", "rate:", "rate", "std", "rate:rate:sum", "sums", ""]
)
def test_another_way_to_reduce_is_refused(method: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=r"expected one of .* after 'rate:'"):
        read(re_aggregation_method=method)


def test_placeholders_stand_for_what_the_metric_says() -> None:
    args = read(custom_query=f"(* 2 {TEMPLATE})", aggregation_method="last")
    aggregation = args.aggregation("cpu")
    assert (
        aggregation.metric, aggregation.aggregation_method, aggregation.re_aggregation_method,
    ) == (
        "cpu", "last", "last",
    )  # fmt: skip


def test_a_query_that_changes_nothing_is_as_if_there_were_none() -> None:
    plain = read(aggregation_method="mean", re_aggregation_method="max")
    queried = read(aggregation_method="mean", re_aggregation_method="max", custom_query=TEMPLATE)
    assert queried.aggregation("cpu") == plain.aggregation("cpu")
    assert read(custom_query="").aggregation("cpu") == read().aggregation("cpu")


@pytest.mark.parametrize(
    "query",
    [
        "cos",
        f"(cos {TEMPLATE})",
        f"(/ {TEMPLATE} 0)",
        f"(+ {TEMPLATE} (aggregate sum (metric b max)))",
    ],
)
def test_a_query_that_is_not_understood_is_refused(query: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=r"supported are|other than 0"):
        read(custom_query=query)


@pytest.mark.parametrize(
    ("settings", "prorate", "key", "expected"),
    [
        ({}, False, None, ""),
        ({"re_aggregation_method": "rate:sum"}, False, None, ""),
        ({"aggregation_method": "rate:mean"}, False, None, ""),
        (
            {"aggregation_method": "rate:mean", "re_aggregation_method": "rate:sum"},
            False, "re_aggregation_method", "differences of differences",
        ),
        (
            {"custom_query": "(* 2 (aggregate rate:sum (metric cpu rate:mean)))"},
            False, "custom_query", "differences of differences",
        ),
        ({"custom_query": "(aggregate std (metric cpu max))"}, False, "custom_query", "expected"),
        ({"custom_query": "(aggregate max (metric cpu best))"}, False, "custom_query", "expected"),
        (
            {"custom_query": "(aggregate max (metric cpu.* max))"},
            False, "custom_query", "one metric's name",
        ),
        ({}, True, None, ""),
        ({"aggregation_method": "mean"}, True, None, ""),
        ({"aggregation_method": "sum"}, True, "aggregation_method", "cannot be prorated"),
        ({"aggregation_method": "count"}, True, "aggregation_method", "cannot be prorated"),
        ({"aggregation_method": "rate:mean"}, True, "aggregation_method", "cannot be prorated"),
        ({"aggregation_method": "sum", "re_aggregation_method": "max"}, True, None, ""),
        (
            {"re_aggregation_method": "rate:max"},
            True, "re_aggregation_method", "cannot be prorated",
        ),
        ({"re_aggregation_method": "sum"}, True, "re_aggregation_method", "cannot be prorated"),
        (
            {"custom_query": "(aggregate sum (metric cpu max))"},
            True, "custom_query", "cannot be prorated",
        ),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_reported_by_key(
    settings: Mapping[str, object], prorate: bool, key: str | None, expected: str
) -> None:
    mistakes = contradictions(read(**settings), "cpu", prorate)
    assert list(mistakes) == ([] if key is None else [key])
    assert all(expected in text for text in mistakes.values())


def test_a_metric_whose_name_breaks_its_query_is_reported() -> None:
    mistakes = contradictions(read(custom_query=f"(* 2 {TEMPLATE})"), "cpu (old)", prorate=False)
    assert "of the wrong form" in mistakes["custom_query"]
