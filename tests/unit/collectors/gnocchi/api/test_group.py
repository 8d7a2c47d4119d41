"""Groups that msgspec reads are those that the transport's parser reads, digit by digit."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.collectors.gnocchi.api import transport
from ratekit.collectors.gnocchi.api.group import AggregateGroup, group_rows, read_groups

NUMBERS = [
    "1e5", "0.10", "1E-7", "12345678901234567.5", "-0.0", "-0", "5", "1e9999", "1e-9999",
    "9" * 400, "0." + "1" * 999, "123456789012345678901234567890", "1e10000", "1e-10000",
    "1" * 1001, "1" * 5000, "1." + "1" * 1000, "1e99999999999999999999", "NaN", "Infinity",
    "-Infinity", '"1.5"', "null", "true", "01", "1.", ".5", "+1", "1e", "[]", "[" * 100_000,
]  # fmt: skip
ATTRIBUTES = [
    '"m1"', "null", "4", "2.50", "true", "-0", "-0.0", "[1, 2.0]", '{"a": 1}', '"\\u00e9\\n"',
    '"\\ud800"', '"\t"', "1" * 1001, "1e10000",
]  # fmt: skip
FORMS = [
    '[{{"measures": {{"measures": {{"aggregated": [["t1", 3600.0, {0}], ["t2", 300, 1.5]]}}}},'
    ' "group": {{"id": "r1", "flavor": {1}}}}}]',
    '[{{"measures": {{"measures": {{"aggregated": []}}}}, "group": {{"id": {1}, "x": {0}}}}}]',
    '[{{"measures": {{"measures": {{"aggregated": [["t1", 60.0, {0}]]}}, "more": {0}}},'
    ' "group": {{"id": {1}}}}}]',
    '[{{"measures": {{"measures": {{"aggregated": [["t1", null, {0}]]}}}}, "group": {{}}}}]',
    '[{{"measures": {{"measures": {{"aggregated": [["t1", {0}]]}}}}, "group": {{}}}}]',
    '[{{"measures": {{}}, "group": {{"id": {1}}}}}]',
    '[{{"measures": {{"measures": {{"aggregated": [["t1", 60.0, 1.0]]}}}}}}]',
    '{{"a": {0}, "b": {1}}}', "[{0}, {1}]", "{0}", "{1}] x",
]  # fmt: skip


def parsed(content: bytes) -> Any:
    """What the transport's parser reads, or its error."""
    try:
        rows = transport.parse(content)
        if rows is None or isinstance(rows, list):
            return None if rows is None else plain(group_rows(rows))
        return "cannot parse Gnocchi's aggregates response: it is not a list"
    except errors.InvalidResponse as error:
        return str(error)


def plain(groups: list[AggregateGroup]) -> Any:
    """The content with the type and the text of every number."""
    return [
        (
            {name: (type(value), str(value)) for name, value in group.attributes.items()},
            group.begins,
            [(type(value), value.as_tuple()) for value in group.values],
        )
        for group in groups
    ]


def result(content: bytes) -> Any:
    try:
        groups = read_groups(content)
    except errors.InvalidResponse as error:
        return str(error)
    return None if groups is None else plain(groups)


@pytest.mark.parametrize("form", range(len(FORMS)))
@pytest.mark.parametrize("number", range(len(NUMBERS)))
def test_every_form_of_a_response_is_read_or_refused_alike(form: int, number: int) -> None:
    for attribute in ATTRIBUTES:
        content = FORMS[form].format(NUMBERS[number], attribute).encode("utf-8", "surrogatepass")
        assert result(content) == parsed(content)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["id", "flavor", "vcpus"]),
                st.text() | st.none() | st.booleans() | st.integers() | st.floats(width=32),
            ),
            st.lists(st.tuples(st.text(), st.floats() | st.integers() | st.none())),
        )
    ),
    st.binary(max_size=2),
    st.integers(0, 10**4),
)
def test_random_and_damaged_responses_are_read_or_refused_alike(
    groups: list[tuple[dict[str, Any], list[tuple[str, Any]]]], damage: bytes, at: int
) -> None:
    rows = [
        {
            "group": attributes,
            "measures": {"measures": {"aggregated": [[t, 60.0, value] for t, value in buckets]}},
        }
        for attributes, buckets in groups
    ]
    whole = json.dumps(rows).encode()
    place = at % len(whole)
    for content in (whole, whole[:place] + damage + whole[place + len(damage) :]):
        assert result(content) == parsed(content)


def test_the_common_form_does_not_need_the_slower_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(transport, "parse")
    content = FORMS[0].format("1706.6666666666667", "2.0").encode()
    assert read_groups(content) == [
        AggregateGroup(
            {"id": "r1", "flavor": Decimal("2.0")},
            ("t1", "t2"),
            (Decimal("1706.6666666666667"), Decimal("1.5")),
        )
    ]
