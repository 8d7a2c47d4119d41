"""Which responses show the time."""

from __future__ import annotations

import datetime
import email.utils

import pytest
import requests

from ratekit import http_clock

DATE = "Thu, 01 Jan 2026 12:00:00 GMT"


def response(headers: dict[str, str]) -> requests.Response:
    answer = requests.Response()
    answer.headers.update(headers)
    return answer


def test_a_date_is_exact_to_a_second() -> None:
    def send() -> requests.Response:
        """Respond as a server with this host's clock."""
        return response({"date": email.utils.formatdate(usegmt=True)})

    reading = http_clock.read("X", send)
    assert reading is not None
    assert reading.upper - reading.lower >= datetime.timedelta(seconds=1)
    assert reading.lower <= datetime.timedelta(0) <= reading.upper


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": ""},
        {"Date": "yesterday"},
        {"Date": "Fri, 31 Dec 99999 23:59:59 GMT"},
        {"Date": DATE, "Age": "17"},
    ],
)
def test_a_response_without_a_date_or_from_a_cache_shows_none(headers: dict[str, str]) -> None:
    assert http_clock.read("X", lambda: response(headers)) is None


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_first_and_the_last_date_are_no_failure(year: str) -> None:
    date = f"Mon, 01 Jan {year} 00:00:00 GMT"
    reading = http_clock.read("X", lambda: response({"Date": date}))
    assert reading is not None
    assert abs(reading.difference) > datetime.timedelta(days=365)
