"""Labels are the texts that CloudKitty compares: ``str()`` of what a JSON parser returns."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.collectors.gnocchi.api import formats


def parse(document: str) -> Any:
    """Parse a document as responses of Gnocchi are parsed."""
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize(
    ("document", "label"),
    [
        ("null", None),
        ('""', ""),
        ('"1E+16"', "1E+16"),
        ("10", "10"),
        ("10.0", "10.0"),
        ("2.50", "2.5"),
        ("1e+16", "1e+16"),
        ("1e16", "1e+16"),
        # With 17 digits no point is left, and Python still writes an exponent.
        ("1.2345678901234568e+16", "1.2345678901234568e+16"),
        ("1e-7", "1e-07"),
        ("-0.0", "-0.0"),
        ("true", "True"),
        ("[1, 2.50, null]", "[1, 2.5, None]"),
        ('{"a": {"b": 1e16}}', "{'a': {'b': 1e+16}}"),
    ],
)
def test_an_attribute_becomes_the_text_of_cloudkitty(document: str, label: str | None) -> None:
    assert formats.label(parse(document)) == label


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.text(), members, max_size=3),
    max_leaves=6,
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_any_attribute_becomes_the_text_that_python_has_for_it(value: Any) -> None:
    label = formats.label(parse(json.dumps(value)))
    assert label == (None if value is None else str(value))


@given(st.floats(min_value=1e15, max_value=1e18) | st.floats(min_value=0, max_value=1e-3))
@settings(max_examples=200, deadline=None)
def test_the_exponent_is_written_where_python_writes_it(number: float) -> None:
    assert formats.label(parse(json.dumps(number))) == str(number)
