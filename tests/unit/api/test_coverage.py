"""``/v2/scope/coverage``: what was rated in each of a scope's newest periods."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit.domain.reporting.exclusion import Exclusion
from tests.api_client import NOW, Client
from tests.contract import given

PATH = "/v2/scope/coverage"


@pytest.fixture
def usage(client: Client) -> Client:
    """Three periods of a scope: rated, then not, then rated with an exclusion."""
    storage = client.parts.storage
    begin = client.parts.calendar.due_until(NOW) - 3 * given.HOUR
    (state,) = given.list_scopes(storage, "a1", now=begin, start=begin, resume=begin)
    series = given.build_series("a1", [("1", "0.0000000000000000000000000001")], begin=begin)
    periods = given.window(1, begin)
    storage.ledger.commit(given.batch([state], series, periods=periods, metrics=("instance",)))
    (state,) = given.list_scopes(storage, "a1", now=begin + given.HOUR)
    exclusion = Exclusion("a1", "instance", "vm-1", "it has two units", "delete one")
    periods = given.window(1, begin + given.HOUR)
    storage.ledger.commit(given.batch([state], periods=periods, exclusions=[exclusion]))
    return client


def test_each_period_has_a_state(usage: Client) -> None:
    response = usage.get(PATH, scope_id="a1", periods="4")
    assert response.status == 200, response.text
    (metric,) = response.body["metrics"]
    assert metric["metric"] == "instance"
    begins = [f"2026-03-15T{hour:02}:00:00+00:00" for hour in range(7, 13)]
    states = [(cell["begin"], cell["state"], cell["points"]) for cell in metric["periods"]]
    first = begins.index(states[0][0])
    assert states == [
        (begins[first], "before", 0),
        (begins[first + 1], "points", 1),
        (begins[first + 2], "silent", 0),
        (begins[first + 3], "not rated yet", 0),
    ]
    assert (response.body["begin"], response.body["end"]) == (begins[first], begins[first + 4])
    assert response.body["period"] == 3600
    assert response.body["scope"]["scope_id"] == "a1"
    assert response.body["scope"]["lag"] == 3600
    assert response.body["exclusions"] == [
        {
            "metric": "instance",
            "resource": "vm-1",
            "begin": begins[first + 2],
            "end": begins[first + 3],
            "reason": "it has two units",
            "remedy": "delete one",
        }
    ]


def test_the_charges_of_this_month_have_all_digits(usage: Client) -> None:
    response = usage.get(PATH, scope_id="a1")
    assert response.body["charges"] == {
        "since": "2026-03-01T00:00:00+00:00",
        "frames": 1,
        "price": Decimal("1E-28"),
    }
    (metric,) = response.body["metrics"]
    assert len(metric["periods"]) == 24


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({}, 400, "scope_id: missing"),
        ({"scope_id": "nobody"}, 404, "Scope 'nobody' not found"),
        ({"scope_id": "a1", "periods": "0"}, 400, "periods: "),
        ({"scope_id": "a1", "periods": "10001"}, 400, "periods: "),
        ({"scope_id": "a1", "periods": "10000"}, 400, "periods: expected at most 400 days"),
        ({"scope_id": "a1", "begin": "2026-03-01"}, 400, "unknown argument 'begin'"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    usage: Client, query: dict[str, str], status: int, text: str
) -> None:
    response = usage.get(PATH, **query)
    assert response.status == status
    assert response.body["message"].startswith(text)


def test_more_states_than_the_option_allows_are_refused(usage: Client) -> None:
    limited = usage.with_limits(rows=10)
    assert limited.get(PATH, scope_id="a1", periods="10").status == 200
    refusal = limited.get(PATH, scope_id="a1", periods="11")
    assert refusal.status == 400
    assert "periods: 11 of 1 metric are more than 10 states" in refusal.body["message"]
