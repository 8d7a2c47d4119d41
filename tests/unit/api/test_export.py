"""``/v2/export``: charges as files."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from fractions import Fraction

import pytest

from ratekit.storage import migrate
from tests.api_client import Client
from tests.contract.given import batch, build_series, hour, list_scopes, window
from tests.databases import new_database
from tests.focus_export import Row, add_up, read

PATH = "/v2/export/focus"
MARCH = {"begin": "2026-03-01", "end": "2026-04-01"}


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[Client]:
    """Return an API with a currency, over two hours of two projects."""
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        client = Client(tmp_path, url, "[rating]\ncurrency = EUR\n")
        storage = client.parts.storage
        storage.ledger.commit(
            batch(
                list_scopes(storage, "a1", "b2"),
                build_series("a1", [("1", "0.1"), ("1", "0.0000000000000000000000000001")]),
                build_series("a1", [("40", "0.5")], metric="volume", unit="GiB"),
                build_series("b2", [("2", "7"), ("2", "7")]),
                periods=window(2),
            )
        )
        yield client


def charges(client: Client, project: str | None = None, **query: object) -> list[Row]:
    send = client.get if project is None else lambda *a, **k: client.get_as(project, *a, **k)
    response = send(PATH, **{**MARCH, **query})
    assert response.status == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return read(response.text)


def test_a_member_gets_the_charges_of_his_project(client: Client) -> None:
    rows = charges(client, "a1")
    assert {row["SubAccountId"] for row in rows} == {"a1"}
    total = client.get_as("a1", "/v2/summary", **MARCH).body["results"][0][-1]
    assert add_up(rows) == Fraction(total) == Fraction("0.6000000000000000000000000001")
    for query in ({"filters": "project_id:b2"}, {"filters": "scope:b2"}):
        assert charges(client, "a1", **query) == []


def test_an_administrator_gets_all_and_may_choose(client: Client) -> None:
    assert add_up(charges(client)) == Fraction("14.6000000000000000000000000001")
    assert add_up(charges(client, filters="project_id:b2")) == 14
    [row] = charges(client, filters="type:volume")
    assert (row["SkuMeter"], row["BilledCost"]) == ("volume", "0.5")


def test_the_file_is_named_after_its_range(client: Client) -> None:
    response = client.get(PATH, **MARCH)
    assert response.headers["content-disposition"] == (
        'attachment; filename="focus-2026-03-01-2026-04-01.csv"'
    )


def test_granularity_and_time_zone_are_chosen(client: Client) -> None:
    assert len(charges(client, "b2", granularity="hour")) == 2
    query = {"granularity": "month", "zone": "America/New_York", "begin": "2026-02-28T19:00"}
    [row] = charges(client, "b2", **query)
    assert row["BillingPeriodStart"] == "2026-02-01T05:00:00Z"
    assert row["ChargePeriodStart"] == "2026-03-01T00:00:00Z"
    assert row["ChargePeriodEnd"] == "2026-03-01T05:00:00Z"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"zone": "Mars"}, "zone: expected a name such as Europe/Berlin or UTC"),
        ({"zone": "../../etc/passwd"}, "zone: expected a name such as Europe/Berlin"),
        ({"granularity": "week"}, "granularity: "),
        ({"limit": "3"}, "unknown argument 'limit'"),
        ({"begin": "2026-05-01"}, "is not before end"),
        ({"begin": "1970-01-01"}, "[api] max_range"),
    ],
)
def test_a_wrong_argument_is_named(client: Client, query: dict[str, str], text: str) -> None:
    response = client.get(PATH, **{**MARCH, **query})
    assert response.status == 400
    assert text in response.body["message"]


def test_a_header_says_that_more_will_come(client: Client) -> None:
    warning = client.get_as("a1", PATH, **MARCH).headers["warning"]
    assert warning == (
        '299 - "not final: 1 scope not yet rated until 2026-04-01T00:00:00Z, the oldest until '
        '2026-03-01T02:00:00Z; see ratekit scope list"'
    )
    response = client.get_as("a1", PATH, begin="2026-03-01", end="2026-03-01T02:00")
    assert "warning" not in response.headers


def test_a_bill_never_lacks_what_was_purged(client: Client) -> None:
    client.parts.storage.purge.start(hour(1), totals=False)
    response = client.get(PATH, **MARCH)
    assert response.status == 400
    assert response.body["message"] == (
        "frames before 2026-03-01T01:00:00Z were purged, and the bill would lack them; export "
        "from that time on"
    )
    assert add_up(charges(client, "b2", begin="2026-03-01T01:00:00")) == 7


def test_without_a_currency_there_is_no_export(client: Client) -> None:
    client.conf.set_override("currency", "", "rating")
    response = client.get(PATH, **MARCH)
    assert response.status == 409
    assert response.body["message"].startswith("[rating] currency: FOCUS needs a currency code")


def test_an_export_is_a_stream_only_while_it_is_written(client: Client) -> None:
    for _ in range(2 * client.conf.api.threads):
        assert charges(client)
