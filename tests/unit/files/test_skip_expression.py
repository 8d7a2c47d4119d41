"""Expressions that skip rated points, as in CloudKitty but without eval."""

import dataclasses
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.period import EPOCH
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.files import skip_expression
from tests import builders

#: More digits than a binary float has, or than Python's decimals keep when they are negated.
LONG = "12345678901234567890.100000000000000001"
SERIES = Series(
    "p1", "instance", "GiB", {"id": "r1", "project_id": "p1"},
    {"flavor_name": "m1.small", "vcpus": "4", "image": None}, [(EPOCH, Decimal(1))],
)  # fmt: skip


def is_skipped(text: str, quantity: str = "1", price: str = "1") -> bool:
    skip = skip_expression.compile_skip("instance", text)
    return skip(SERIES, Decimal(quantity), Decimal(price))


def metric(name: str, skip: str | None = None) -> Metric:
    predicate = None if skip is None else skip_expression.compile_skip(name, skip)
    return builders.metric(name, skip=predicate)


def test_a_metrics_own_expression_takes_precedence_over_the_default() -> None:
    zero = 'datapoint["vol"]["qty"] == 0'
    default, special = skip_expression.apply_default(
        [metric("cpu"), metric("disk", skip="False")], zero
    )
    assert default.skip is not None
    assert special.skip is not None
    assert default.skip(SERIES, Decimal(0), Decimal(1))
    assert not default.skip(SERIES, Decimal(1), Decimal(1))
    assert not special.skip(SERIES, Decimal(0), Decimal(1))


@pytest.mark.parametrize("text", ["", "False", " false "])
def test_by_default_nothing_is_skipped(text: str) -> None:
    [result] = skip_expression.apply_default([metric("cpu")], text)
    assert result.skip is None


def test_a_wrong_default_is_rejected_even_if_no_metric_needs_it() -> None:
    with pytest.raises(ValueError, match="vol"):
        skip_expression.apply_default([], "vol == 0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # CloudKitty's own examples and tests.
        ('datapoint.get("vol", {}).get("qty", 0) == 0', False),
        ('datapoint.get("metadata", {}).get("attr_one") == "some_value"', False),
        ("False", False),
        ("True", True),
        (' datapoint["vol"]["qty"] == 1 and datapoint["rating"]["price"] > 0 ', True),
        ('datapoint["vol"]["unit"] != "GiB" or not datapoint["rating"]["price"] < 2', False),
        ('datapoint["metadata"]["flavor_name"] in ["m1.tiny", "m1.small"]', True),
        ('datapoint["groupby"]["project_id"] not in ("p2", "p3")', True),
        ('"small" in datapoint["metadata"]["flavor_name"]', True),
        ('datapoint["metadata"]["flavor_name"].startswith("m1.")', True),
        ('int(datapoint["metadata"]["vcpus"]) >= 4', True),
        ('float(datapoint["metadata"]["vcpus"]) < 4.5', True),
        ('datapoint["metadata"].get("image") is None', True),
        ('datapoint["metadata"].get("nothing") and datapoint["vol"]["qty"] == 1', False),
        ('0 <= datapoint["rating"]["price"] <= 1', True),
        ('len(datapoint["metadata"]) == 3', True),
        ('True if "image" in datapoint["metadata"] else False', True),
        ('datapoint["metadata"]["flavor_name"].split(".")[1] == "small"', True),
    ],
)
def test_an_expression_selects_the_points_to_skip(text: str, expected: bool) -> None:
    assert is_skipped(text) is expected


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ('datapoint["vol"]["qty"] == 0.1', "0.1"),
        (f'datapoint["vol"]["qty"] == {LONG}', LONG),
        ('datapoint["vol"]["qty"] / 3 * 3 == datapoint["vol"]["qty"]', "0.1"),
        ('datapoint["vol"]["qty"] + 0.2 == 0.3', "0.1"),
        (f'-datapoint["vol"]["qty"] == -{LONG}', LONG),
        ('datapoint["vol"]["qty"] * 3 > 1', "0.333333333333333333333333333333334"),
    ],
)
def test_numbers_are_exact(text: str, quantity: str) -> None:
    assert is_skipped(text, quantity)


def test_a_number_that_is_equal_only_in_binary_differs() -> None:
    assert not is_skipped('datapoint["vol"]["qty"] == 0.1', "0.1000000000000000055511151231257827")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not a valid expression"),
        ("datapoint =", "is not a valid expression"),
        ("datapoint = {}", "is not a valid expression"),
        ("import os", "is not a valid expression"),
        ("(" * 400, "is not a valid expression"),
        ("datapoints['vol']", r"unknown name 'datapoints' \(did you mean 'datapoint'\?\)"),
        ("False and open('/etc/passwd')", "unknown name 'open'"),
        ("__import__('os') == 1", "unknown name '__import__'"),
        ("False and datapoint.__class__", r"\.__class__ is not allowed"),
        ("datapoint['vol'].clear()", r"\.clear is not allowed"),
        ("'{0.__class__}'.format(datapoint)", r"\.format is not allowed"),
        ("[x for x in datapoint]", "ListComp"),
        ("lambda: True", "Lambda"),
        ("f'{datapoint}' == ''", "JoinedStr"),
        ("2 ** 999999999 > 1", "Pow"),
        ("(yield)", "Yield"),
        ("1j == 1", "1j"),
        ("b'a' == 'a'", "b'a'"),
        ("datapoint['volume']['qty'] == 0", "missing key 'volume'"),
        ("datapoint['metadata']['vcpus'] > 4", "not supported"),
        ("datapoint['vol']['qty']", "expected true or false"),
        ("'False'", "expected true or false"),
        ("'a' + 'b' == 'ab'", "'a' is not a number"),
        ("'a' * 99 == 'a'", "'a' is not a number"),
        ("datapoint.vol == 1", r"\.vol is not allowed"),
        ("len == 3 or len(1)", "has no len"),
        ("True or " * 200 + "True", "at most 1000"),
        ("1e99999999 > 1", "'1e99999999' is too large a number"),
        ("9 ** 9 ** 9 > 1", "Pow"),
        ("'a' * 10 ** 9 == ''", "Pow"),
        ("-" * 900 + "1 == 1", "recursion"),
    ],
)
def test_a_wrong_expression_is_rejected_when_it_is_compiled(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        skip_expression.compile_skip("instance", text)


def test_a_label_that_is_not_a_number_is_reported_with_metric_and_expression() -> None:
    text = 'int(datapoint["metadata"]["flavor_name"]) > 4'
    with pytest.raises(errors.OperatorError, match=r"instance: .*flavor_name.*invalid literal"):
        is_skipped(text)


@pytest.mark.parametrize("label", ["1e99999999", "1e-99999999", "9" * 1001, "nan", "Infinity"])
@pytest.mark.parametrize("text", ["float({}) * 2 > 1", "int(float({})) > 1", "-float({}) < 1"])
def test_a_label_that_is_too_large_a_number_is_reported(label: str, text: str) -> None:
    series = dataclasses.replace(SERIES, metadata={"size": label})
    skip = skip_expression.compile_skip("instance", text.format('datapoint["metadata"]["size"]'))
    with pytest.raises(errors.OperatorError, match=r"instance: .* number"):
        skip(series, Decimal(1), Decimal(0))


def test_a_product_with_too_many_digits_is_reported() -> None:
    series = dataclasses.replace(SERIES, metadata={"size": "1e9999"})
    factors = " * ".join(['float(datapoint["metadata"]["size"])'] * 20)
    skip = skip_expression.compile_skip("instance", f"{factors} > 1")
    with pytest.raises(errors.OperatorError, match="a result has too many digits"):
        skip(series, Decimal(1), Decimal(0))


def test_a_missing_label_is_reported_with_metric_and_expression() -> None:
    with pytest.raises(errors.OperatorError, match="missing key 'flavour'"):
        is_skipped('datapoint["metadata"]["flavour"] == "m1"')


def test_an_expression_whose_result_is_a_label_is_reported() -> None:
    with pytest.raises(
        errors.OperatorError, match=r"expected true or false as the result, not m1\.small"
    ):
        is_skipped('datapoint["metadata"]["flavor_name"]')


def test_a_point_cannot_be_changed_by_an_expression() -> None:
    skip = skip_expression.compile_skip("instance", 'datapoint["vol"].get("qty") == 1')
    assert skip(SERIES, Decimal(1), Decimal(0))
    assert SERIES.metadata == {"flavor_name": "m1.small", "vcpus": "4", "image": None}
