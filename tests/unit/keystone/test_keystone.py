"""Options of sections that authenticate, URLs, and what keystoneauth's errors mean."""

from __future__ import annotations

import pytest
import requests
from keystoneauth1 import exceptions

from ratekit import errors, keystone


def response(status: int, **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    return answer


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
            "check cafile and insecure in [service]",
        ),
    ],
)
def test_errors_are_sorted_by_who_has_to_act(
    error: Exception, kind: type[errors.RatekitError], text: str
) -> None:
    with (
        pytest.raises(kind) as caught,
        keystone.translate_errors("X", keystone.Sections("service", "s")),
    ):
        raise error
    assert str(caught.value) == text


def test_ratekits_own_errors_pass() -> None:
    with pytest.raises(errors.Conflict), keystone.translate_errors("X"):
        raise errors.Conflict("mine")


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://keystone.example/v3", True),
        ("http://[::1]:5000", True),
        ("keystone.example:5000", False),
        ("ftp://keystone.example", False),
        ("http://", False),
        ("http://keystone.example:0", False),
        ("http://keystone.example:port", False),
    ],
)
def test_a_url_needs_http_and_a_host(url: str, usable: bool) -> None:
    assert keystone.is_web_url(url) is usable


def test_connection_options_are_those_that_a_session_reads() -> None:
    names = [opt.dest for opt in keystone.connection_options()]
    assert names == [
        "auth_type", "auth_section", "cafile", "certfile", "keyfile", "insecure", "region_name",
        "timeout",
    ]  # fmt: skip


def test_a_sample_has_the_options_of_passwords_after_auth_section() -> None:
    names = [opt.dest for opt in keystone.sample_options(keystone.connection_options())]
    assert names[:2] == ["auth_type", "auth_section"]
    assert {"auth_url", "username", "password"} <= set(names[2 : names.index("cafile")])
    assert keystone.sample_options([]) == []
