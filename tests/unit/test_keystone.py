"""What keystoneauth's errors mean, and how long a back end asks to wait."""

from __future__ import annotations

import datetime
import email.utils

import pytest
import requests
from keystoneauth1 import exceptions

from ratekit import errors, http_errors, keystone


def response(status: int, **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    return answer


def http_date(seconds: float) -> str:
    instant = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    return email.utils.format_datetime(instant + datetime.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("7", 7), (" 7 ", 7), ("7.5", 7.5), ("-7", 0), ("-0", 0),
        ("999999999", http_errors.MAX_RETRY_AFTER), (http_date(30), 30), (http_date(-30), 0),
        (http_date(10**9), http_errors.MAX_RETRY_AFTER),
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


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_the_retry_after_of_an_error_is_an_attribute(status: int) -> None:
    for headers, after in (({"Retry_After": "17"}, 17), ({}, None)):
        answer = response(status, **headers)
        with pytest.raises(errors.TryLater) as caught, keystone.translate_errors("X"):
            raise exceptions.from_response(answer, "GET", "http://x")
        assert caught.value.after == after


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (exceptions.ConnectTimeout("too\nlong"), errors.TryLater, "X does not answer: too long"),
        (exceptions.ServiceUnavailable("no"), errors.TryLater, "X answered 503: no (HTTP 503)"),
        (
            exceptions.InvalidResponse(response(200)),
            errors.TryLater,
            "X returned an invalid response; check [s]",
        ),
        (exceptions.Forbidden("no"), errors.AccessDenied, "X refused: no (HTTP 403); check [s]"),
        (
            exceptions.SSLError(
                "SSL exception connecting to https://joe:geheim@h/v3: HTTPSConnectionPool("
                "host='h', port=443): Max retries exceeded with url: /v3 (Caused by SSLError("
                "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
                "failed: self-signed certificate (_ssl.c:1006)')))"
            ),
            errors.AccessDenied,
            "X: TLS verification failed: SSL exception connecting to https://h/v3 ([SSL: "
            "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate); "
            "check cafile and insecure in [s]",
        ),
    ],
)
def test_errors_are_sorted_by_who_has_to_act(
    error: Exception, kind: type[errors.RatekitError], text: str
) -> None:
    with pytest.raises(kind) as caught, keystone.translate_errors("X", "s"):
        raise error
    assert str(caught.value) == text


def test_ratekits_own_errors_pass() -> None:
    with pytest.raises(errors.Conflict), keystone.translate_errors("X"):
        raise errors.Conflict("mine")
