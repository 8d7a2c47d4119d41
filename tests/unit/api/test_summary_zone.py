"""``/v2/summary`` by the calendar of a time zone."""

from __future__ import annotations

import csv
import datetime
import io
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.period import Window
from tests.api_client import Client
from tests.contract.given import HOUR, batch, build_series, list_scopes

BERLIN = {"zone": "Europe/Berlin"}


def rate(client: Client, begin: str, hours: int) -> None:
    """Store a price of 1 in each hour from a time on."""
    start = datetime.datetime.fromisoformat(begin)
    storage = client.parts.storage
    states = list_scopes(storage, "a1", start=start, resume=start, now=start)
    series = build_series("a1", [("1", "1")] * hours, begin=start)
    storage.ledger.commit(batch(states, series, periods=Window(start, HOUR, hours)))


def rows(client: Client, **query: object) -> Any:
    response = client.get("/v2/summary", **{"response_format": "object", **BERLIN, **query})
    assert response.status == 200, response.text
    return [(row["begin"], row["end"], int(row["rate"])) for row in response.body["results"]]


def test_the_default_is_this_month_there(client: Client) -> None:
    rate(client, "2026-02-28T22:00:00+00:00", 3)
    month = ("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00")
    assert rows(client) == [(*month, 2)]
    assert rows(client, groupby="time-m") == [(*month, 2)]
    # The last hour of a month is the first of the next where the sun rises earlier.
    response = client.get("/v2/summary", zone="Pacific/Kiritimati")
    assert response.body["results"][0][:2] == [
        "2026-03-01T00:00:00+14:00", "2026-04-01T00:00:00+14:00",
    ]  # fmt: skip


def test_times_without_an_offset_are_of_the_zone(client: Client) -> None:
    rate(client, "2026-02-28T22:00:00+00:00", 3)
    assert rows(client, begin="2026-03-01", end="2026-03-01T01:00") == [
        ("2026-03-01T00:00:00+01:00", "2026-03-01T01:00:00+01:00", 1)
    ]
    assert rows(client, begin="2026-02-28T22:00:00Z", end="2026-03-01T00:30:00+01:00") == [
        ("2026-02-28T23:00:00+01:00", "2026-03-01T00:30:00+01:00", 2)
    ]


def test_days_begin_and_end_at_midnight_there_while_clocks_change(client: Client) -> None:
    rate(client, "2026-03-28T00:00:00+00:00", 72)
    days = rows(client, begin="2026-03-28", end="2026-03-31", groupby="time-d")
    assert days == [
        ("2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", 23),
        ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 23),
        ("2026-03-30T00:00:00+02:00", "2026-03-31T00:00:00+02:00", 24),
    ]


def test_hours_with_one_name_are_two(client: Client) -> None:
    rate(client, "2025-10-26T00:00:00+00:00", 2)
    span = {"begin": "2025-10-26T00:00", "end": "2025-10-26T12:00"}
    assert rows(client, groupby="time-h", **span) == [
        ("2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00", 1),
        ("2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00", 1),
    ]
    response = client.get("/v2/summary", groupby="time-h", **BERLIN, **span)
    assert [row[-1] for row in response.body["results"]] == ["2", "2"]
    periods = rows(client, groupby="time", **span)
    assert [begin for begin, _, _ in periods] == [
        "2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00",
    ]  # fmt: skip


def test_a_file_for_a_spreadsheet_is_of_the_zone(client: Client) -> None:
    rate(client, "2026-02-28T23:00:00+00:00", 2)
    response = client.get("/v2/summary", response_format="csv", groupby="time-d", **BERLIN)
    assert 'filename="summary-2026-03-01-2026-04-01.csv"' in response.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert (row["begin"], row["day_of_the_year"]) == ("2026-03-01T00:00:00+01:00", "60")
    assert Decimal(row["rate"]) == 2


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"zone": "Europe/Berlim"}, "zone: expected a name such as Europe/Berlin or UTC, not "
         "'Europe/Berlim' (did you mean 'Europe/Berlin'?)"),
        ({"zone": "../../etc/passwd"}, "zone: expected a name such as"),
        ({"zone": "Europe"}, "zone: expected a name such as"),
        ({"zone": ""}, "zone: expected a name such as"),
        ({"zone": "Europe/Berlin", "begin": "0001-01-01", "end": "0001-01-02"},
         "begin: 0001-01-01T00:00:00 is too far in the past or future"),
        ({"zone": "America/New_York", "begin": "9999-11-30", "end": "9999-12-31T23:00"},
         "end: 9999-12-31T23:00:00 is too far in the past or future"),
    ],
)  # fmt: skip
def test_zones_and_times_that_do_not_exist_are_refused(
    client: Client, query: dict[str, str], text: str
) -> None:
    response = client.send("GET", "/v2/summary", query)
    assert response.status == 400
    assert response.body["message"].startswith(text)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("words", ["time-h", "time-d", "time-w", "time-m", "time-y", "time"])
@pytest.mark.parametrize(
    ("begin", "end"),
    [("0001-01-01T00:00Z", "0001-01-02T00:00Z"), ("9999-12-31T00:00Z", "9999-12-31T23:59Z")],
)
def test_the_ends_of_time_are_no_errors(
    client: Client, zone: str, words: str, begin: str, end: str
) -> None:
    response = client.get("/v2/summary", zone=zone, groupby=words, begin=begin, end=end)
    assert response.status < 500, response.text
