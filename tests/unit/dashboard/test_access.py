"""The session's cookie among others, which the same host or its domain may have set."""

from __future__ import annotations

from typing import Any

import falcon
import pytest
from falcon import testing

from ratekit.dashboard import visit
from ratekit.dashboard.access import Access, EndedTokens
from ratekit.dashboard.cookie import NAME, SessionCookies, choose_keys
from tests.api_client import NOW

COOKIES = SessionCookies(choose_keys((), has_login=False), lambda: NOW)


def zone(header: str) -> str:
    """Return the zone of the session that a request with these cookies has; empty: a new one."""
    zones: list[str] = []

    def answer(environ: dict[str, Any], _: Any) -> list[bytes]:
        zones.append(visit.of(falcon.Request(environ)).session.zone)
        return []

    access = Access(answer, answer, COOKIES, EndedTokens(60), {"/dashboard/login"}, True)
    access(testing.create_environ("/dashboard/login") | {"HTTP_COOKIE": header}, None)
    return zones[0]


def cookie(zone: str) -> str:
    return f"{NAME}={COOKIES.seal(COOKIES.create(zone))}"


@pytest.mark.parametrize(
    "other",
    [
        'a={"b": 1}',
        "flag",
        "a=b c",
        "a=\xe9",
        "path=/",
        "expires=1",
        "a[]=1",
        "",
        "=",
        'a="b\\";c"',
    ],
)
def test_cookies_of_others_do_not_end_the_session(other: str) -> None:
    mine = cookie("Europe/Berlin")
    assert zone(f"{other}; {mine}") == zone(f"{mine}; {other}") == "Europe/Berlin"


def test_of_two_sessions_the_one_of_the_longer_path_counts() -> None:
    assert zone(f"{cookie('Europe/Berlin')}; {cookie('Asia/Tokyo')}") == "Europe/Berlin"


@pytest.mark.parametrize("value", ['"' + '\\"' * 100_000 + '"', "x" * 200_000, "\xe9", '"', ""])
def test_a_cookie_that_is_none_is_not_computed_with(value: str) -> None:
    assert not zone(f"{NAME}={value}")


def test_a_quoted_cookie_is_read() -> None:
    name, _, value = cookie("Europe/Berlin").partition("=")
    assert zone(f'{name}="{value}"') == "Europe/Berlin"
