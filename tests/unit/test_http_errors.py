"""How long a back end asks to wait, and the cause of an error in one line."""

from __future__ import annotations

import datetime
import email.utils

import pytest

from ratekit import http_errors
from ratekit.domain.schedule.backoff import MAX_AFTER


def http_date(seconds: float) -> str:
    instant = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    return email.utils.format_datetime(instant + datetime.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("7", 7), (" 7 ", 7), ("7.5", 7.5), ("-7", 0), ("-0", 0),
        ("999999999", MAX_AFTER), (http_date(30), 30), (http_date(-30), 0),
        (http_date(10**9), MAX_AFTER),
        ("Sun, 01 Mar 2026 00:00:05 -0000", 5), ("Sun, 01 Mar 2026 01:00:05 +0100", 5),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_up_to_a_limit(text: str, seconds: float) -> None:
    assert http_errors.retry_after({"Retry-After": text, "Date": http_date(0)}) == seconds
    assert http_errors.retry_after({"retry-after": text, "DATE": http_date(0)}) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1e3", "nan", "٣", "9" * 30, "Sun, 99 Mar 2026"])
def test_an_invalid_retry_after_is_none(text: str) -> None:
    assert http_errors.retry_after({"Retry-After": text}) is None
    assert http_errors.retry_after({}) is None


def test_without_the_responses_own_date_the_clock_is_used() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    assert http_errors.retry_after({"Retry-After": email.utils.format_datetime(later)}) == 3600
    assert http_errors.retry_after({"Retry-After": http_date(-(10**9))}) == 0


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("two\nlines", "two lines"),
        ("", "OSError"),
        ("from http://joe:geheim@host/x", "from http://host/x"),
        (
            "no connection to http://host: HTTPConnectionPool(host='host', port=1): Max retries "
            "exceeded (Caused by NewConnectionError('[Errno 111] Connection refused'))",
            "no connection to http://host ([Errno 111] Connection refused)",
        ),
        ("no connection: HTTPSConnectionPool(host='host', port=1): why", "no connection"),
    ],
)
def test_an_error_is_one_line_with_its_cause(text: str, summary: str) -> None:
    assert http_errors.summarize(OSError(text)) == summary
