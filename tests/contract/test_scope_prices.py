"""What scopes cost is what a summary says, on every database."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage
from ratekit.storage.sql import open_storage
from tests.contract.given import batch, build_series, hour, list_scopes, statements, window

_PRICES = ("0.1", "0.0000000000000000000000000001", "-3", "100000000000000000000000000000")


@pytest.fixture(autouse=True)
def usage(storage: Storage, url: str) -> None:
    """Four hours of two metrics in a, b and c, nothing in d; scope a of another key."""
    series = [
        build_series(scope, [("1", price) for price in _PRICES], metric=metric)
        for scope in "abc"
        for metric in ("cpu", "disk")
    ]
    states = list_scopes(storage, *"abcd")
    storage.ledger.commit(batch(states, *series, periods=window(4), metrics=("cpu", "disk")))
    other = open_storage(url, scope_key="domain_id", fetcher="static", collector="gnocchi")
    more = build_series("a", [("1", "7")] * 4)
    other.ledger.commit(batch(list_scopes(other, "a"), more, periods=window(4)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.integers(-1, 5),
    st.integers(-1, 5),
    st.none() | st.frozensets(st.sampled_from("abcdx")),
    st.sampled_from([None, "cpu", "ip"]),
)
def test_they_are_those_of_a_summary(
    storage: Storage, begin: int, end: int, ids: frozenset[str] | None, metric: str | None
) -> None:
    scopes = ALL_SCOPES if ids is None else ids
    metrics = () if metric is None else (metric,)
    selection = Selection(hour(begin), hour(end), scopes=scopes, metrics=metrics)
    rows = storage.reports.summary(selection, ("scope",), datetime.UTC)
    expected = {str(row.group["scope"]): row.price for row in rows}
    assert storage.reports.prices(hour(begin), hour(end), scopes, metric) == expected


def test_they_are_exact(storage: Storage) -> None:
    prices = storage.reports.prices(hour(0), hour(4), frozenset("a"))
    assert prices == {"a": Decimal("199999999999999999999999999994.2000000000000000000000000002")}


def test_two_statements_for_any_number_of_scopes(storage: Storage) -> None:
    with statements() as sent:
        storage.reports.prices(hour(0), hour(4), ALL_SCOPES)
    assert len([statement for statement in sent if "SELECT" in statement]) <= 3
