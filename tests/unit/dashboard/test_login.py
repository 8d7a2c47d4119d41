"""Log-in while Keystone is away, slow or odd; and what a cookie is worth."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ratekit.api.parts import Parts
from ratekit.cmd import api, configuration
from ratekit.dashboard import application, routes
from ratekit.dashboard.attempts import OF_ADDRESS, OF_USER
from tests.judges import live_api
from tests.page_client import Browser, PageResponse
from tests.stub_keystone import TOKENS, endpoint, respond
from tests.stub_server import ReceivedRequest, StubResponse, StubServer, run_stub_server

_KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]
_CONF = """\
dashboard = true
dashboard_keys = {key}
[keystone_authtoken]
auth_type = password
auth_url = {url}
www_authenticate_uri = {url}/v3
username = ratekit
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
[oslo_middleware]
enable_proxy_headers_parsing = true
"""
PASSWORD = "the reader's password"


@dataclasses.dataclass
class Keystone:
    """A stub that lets readers log in.

    :ivar answer: to log-ins of readers, in place of a token
    """

    server: StubServer
    token: str = "reader-token"
    answer: StubResponse | None = None

    def log_ins(self) -> list[Any]:
        """Return the names that have tried."""
        users = [request.body["auth"]["identity"] for request in self.server.requests
                 if request.path == TOKENS and request.method == "POST"]  # fmt: skip
        names = [user["password"]["user"]["name"] for user in users if "password" in user]
        return [name for name in names if name != "ratekit"]

    def decide(self, request: ReceivedRequest) -> StubResponse:
        """Answer what concerns tokens."""
        if request.method == "DELETE":
            return self.answer or StubResponse(b"", 204)
        if request.method == "GET":
            return StubResponse({"token": token_facts(self.server.url)})
        user = request.body["auth"]["identity"].get("password", {}).get("user", {})
        if user.get("name") == "ratekit":
            return StubResponse(
                {"token": token_facts(self.server.url)}, 201, (("X-Subject-Token", "service"),)
            )
        if self.answer is not None:
            return self.answer
        if user.get("password") != PASSWORD:
            return StubResponse({"error": {"code": 401, "message": "no"}}, 401)
        return StubResponse(
            {"token": token_facts(self.server.url)}, 201, (("X-Subject-Token", self.token),)
        )


def token_facts(url: str) -> dict[str, Any]:
    domain = {"id": "default", "name": "Default"}
    catalog = [
        {"type": "identity", "name": "keystone", "endpoints": [
            endpoint(f"{url}/v3", interface=interface) for interface in ("internal", "admin")
        ]}
    ]  # fmt: skip
    return {
        "user": {"id": "u1", "name": "reader", "domain": domain},
        "project": {"id": "p1", "name": "<script>alert(1)</script>", "domain": domain},
        "roles": [{"id": "r1", "name": "reader"}],
        "methods": ["password"],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2999-01-01T00:00:00.000000Z",
        "catalog": catalog,
    }


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    with run_stub_server() as server:
        respond(server, [endpoint(f"{server.url}/v3", interface="internal")])
        stub = Keystone(server)
        server.decide(TOKENS, stub.decide)
        yield stub


@pytest.fixture
def build(tmp_path: pathlib.Path) -> Callable[..., Browser]:
    """Return a function that returns a browser of pages with a log-in."""
    folders = iter(range(100))

    def build(url: str, key: str = _KEYS[0], extra: str = "") -> Browser:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        parts = build_parts(folder, _CONF.format(url=url, key=key) + extra)
        return Browser(application.build(parts, routes.PAGES))

    return build


def build_parts(folder: pathlib.Path, conf: str) -> Parts:
    live_api.write_conf(folder, conf)
    arguments = ["--config-file", str(folder / "ratekit.conf")]
    return api.build_parts(configuration.load_for_serving(api.PROG, arguments))


@pytest.fixture
def browser(build: Callable[..., Browser], keystone: Keystone) -> Browser:
    return build(keystone.server.url)


def log_in(browser: Browser, password: str = PASSWORD, **fields: str) -> PageResponse:
    return browser.post("/dashboard/login", {"user": "reader", "password": password, **fields})


def log_out(browser: Browser) -> PageResponse:
    csrf = browser.get("/dashboard/about").field("csrf")
    return browser.post("/dashboard/logout", {}, csrf=csrf)


def test_the_stub_lets_a_reader_in(browser: Browser) -> None:
    assert log_in(browser, "wrong").status == 403
    assert log_in(browser).status == 303
    response = browser.get("/dashboard/about")
    assert response.status == 200
    # His project's name.
    assert "Project <script>alert(1)</script>" in [
        tag.text for tag in response.document.select("span")
    ]
    assert response.document.find_all("script") == []


# Keystone is away or odd ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        StubResponse(b"<html>Traceback", 500),
        StubResponse(b"", 503),
        StubResponse(b"<html>", 200),
        StubResponse({"token": {}}, 201, (("X-Subject-Token", "t"),)),
        StubResponse({"token": token_facts("http://x")}, 201),
        StubResponse({"token": None}, 201, (("X-Subject-Token", "t"),)),
        StubResponse([1], 201, (("X-Subject-Token", "t"),)),
        StubResponse({}, 401, (("Openstack-Auth-Receipt", "r"),)),
        StubResponse(b"", 302, (("Location", "http://127.0.0.1:9/v3/auth/tokens"),)),
        StubResponse(b"x" * 100, 200, missing=50),
    ],
)
def test_a_keystone_that_fails_is_not_the_readers_fault(
    browser: Browser, keystone: Keystone, answer: StubResponse
) -> None:
    keystone.answer = answer
    for _ in range(OF_USER + 1):
        response = log_in(browser)
        assert response.status == 503
        assert "Keystone does not answer; try again later." in response.words
    assert response.field("user") == "reader"
    assert PASSWORD not in response.text
    keystone.answer = None
    assert log_in(browser).status == 303


def test_a_keystone_that_is_away_or_slow_is_told(
    build: Callable[..., Browser], keystone: Keystone
) -> None:
    assert log_in(build("http://127.0.0.1:9")).status == 503
    slow = build(keystone.server.url, extra="[keystone_authtoken]\nhttp_connect_timeout = 1\n")
    keystone.answer = StubResponse(b"", delay=3.0)
    response = log_in(slow)
    assert response.status == 503
    assert response.headers["retry-after"] == "10"


def test_a_session_that_cannot_be_checked_is_kept(browser: Browser, keystone: Keystone) -> None:
    log_in(browser)
    keystone.server.decide(TOKENS, lambda _: StubResponse(b"", 500))
    response = browser.get("/dashboard/about")
    assert response.status == 503
    assert "cannot be asked whether the log-in is still valid" in response.words
    keystone.server.decide(TOKENS, keystone.decide)
    assert browser.get("/dashboard/about").status == 200


def test_a_log_out_without_keystone_says_what_is_left(browser: Browser, keystone: Keystone) -> None:
    log_in(browser)
    browser.get("/dashboard/about")
    stolen = dict(browser.cookies)
    keystone.answer = StubResponse(b"", 500)
    response = log_out(browser)
    assert response.status == 200
    assert "The token could not be revoked" in response.words
    assert browser.get("/dashboard/about").status == 303
    # keystonemiddleware remembers the token; the pages remember the log-out.
    browser.cookies = stolen
    assert browser.get("/dashboard/about").status == 303


def test_a_token_that_fits_no_cookie_is_explained(browser: Browser, keystone: Keystone) -> None:
    keystone.token = "x" * 3500
    response = log_in(browser)
    assert response.status == 502
    assert "Keystone's token is too long" in response.words
    assert browser.get("/dashboard/about").status == 303


def test_what_keystone_sets_for_one_reader_is_not_sent_for_another(
    browser: Browser, keystone: Keystone
) -> None:
    headers = (("X-Subject-Token", "t"), ("Set-Cookie", "session=one; Path=/"))
    keystone.answer = StubResponse({"token": token_facts(keystone.server.url)}, 201, headers)
    for _ in range(2):
        assert log_in(browser).status == 303
    log_ins = [request for request in keystone.server.requests if request.method == "POST"]
    assert len(log_ins) > 1
    assert not [request.headers["Cookie"] for request in log_ins if "Cookie" in request.headers]


# Attempts -------------------------------------------------------------------------------------


def test_a_user_who_fails_often_waits(browser: Browser, keystone: Keystone) -> None:
    for _ in range(OF_USER):
        assert log_in(browser, "wrong").status == 403
    count = len(keystone.log_ins())
    response = log_in(browser)
    assert response.status == 429
    assert int(response.headers["retry-after"]) > 0
    assert "too many log-ins have failed" in response.words.lower()
    assert len(keystone.log_ins()) == count
    # Others do not.
    assert log_in(browser, user="another").status == 303


def test_a_user_in_other_letters_is_the_same(browser: Browser) -> None:
    names = [("Default", "reader"), ("", "Reader"), ("DEFAULT", "READER")]
    for domain, name in itertools.islice(itertools.cycle(names), OF_USER):
        assert log_in(browser, "wrong", user=name, user_domain=domain).status == 403
    assert log_in(browser, "wrong", user="reADER", user_domain="default").status == 429


def test_an_address_that_fails_often_waits(browser: Browser) -> None:
    csrf = browser.get("/dashboard/login").field("csrf")

    def attempt(number: int, address: str) -> int:
        fields = {"user": f"user-{number}", "password": "wrong"}
        headers = {"X-Forwarded-For": address}
        return browser.post("/dashboard/login", fields, headers=headers, csrf=csrf).status

    for number in range(OF_ADDRESS):
        # Addresses of one network.
        assert attempt(number, f"2001:db8::{number:x}") == 403
    assert attempt(-1, "2001:db8::ffff:ffff") == 429
    assert attempt(-1, "2001:db8:0:1::1") == 403
    assert attempt(-1, "::ffff:192.0.2.1") == 403


def test_an_address_that_a_client_puts_before_his_own_does_not_help_him(browser: Browser) -> None:
    csrf = browser.get("/dashboard/login").field("csrf")
    fields = {"user": "reader", "password": "wrong"}

    def attempt(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return browser.post("/dashboard/login", fields, headers=headers, csrf=csrf).status

    for number in range(OF_USER):
        assert attempt(f"192.0.2.{number}, 198.51.100.1") == 403
    assert attempt("192.0.2.99, 198.51.100.1") == 429
    assert attempt("198.51.100.1, 192.0.2.99") == 403


def test_the_log_has_no_password_and_no_name_that_may_be_one(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        log_in(browser, "hunter2", user="typed-password")
        log_in(browser)
        browser.get("/dashboard/about")
        log_out(browser)
    assert "a log-in from 127.0.0.1 failed" in caplog.text
    assert "a log-in from 127.0.0.1 succeeded" in caplog.text
    for secret in ("hunter2", "typed-password", PASSWORD, "reader-token"):
        assert secret not in caplog.text
    assert not [value for value in browser.cookies.values() if value in caplog.text]


# Cookies --------------------------------------------------------------------------------------


def test_under_tls_and_below_a_prefix_the_cookie_goes_nowhere_else(browser: Browser) -> None:
    csrf = browser.get("/dashboard/login").field("csrf")
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/rating"}
    fields = {"user": "reader", "password": PASSWORD}
    response = browser.post("/dashboard/login", fields, headers=headers, csrf=csrf)
    assert response.status == 303
    assert response.headers["location"] == "/rating/dashboard"
    attributes = response.headers["set-cookie"].split("; ")
    assert {"Secure", "HttpOnly", "Path=/rating/dashboard", "SameSite=Lax"} <= set(attributes)
    assert response.headers["strict-transport-security"]


def test_keys_are_changed_without_a_log_out(
    build: Callable[..., Browser], keystone: Keystone
) -> None:
    old, new, _ = _KEYS
    url = keystone.server.url
    before, during, after = build(url, old), build(url, f"{new},{old}"), build(url, new)
    log_in(before)
    during.cookies = dict(before.cookies)
    assert during.get("/dashboard/about").status == 200
    # A page that writes the cookie writes it with the new key.
    csrf = during.get("/dashboard/settings").field("csrf")
    assert csrf
    assert during.post("/dashboard/zone", {"zone": "UTC"}, csrf=csrf).status == 303
    after.cookies = dict(during.cookies)
    assert after.get("/dashboard/about").status == 200
    after.cookies = dict(before.cookies)
    assert after.get("/dashboard/about").status == 303


def test_hosts_with_one_key_share_the_log_in(
    build: Callable[..., Browser], keystone: Keystone
) -> None:
    url_safe = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    usual = base64.b64encode(b"\xff" * 32).decode()
    assert url_safe != usual
    first, second = build(keystone.server.url, usual), build(keystone.server.url, url_safe)
    log_in(first)
    second.cookies = dict(first.cookies)
    assert second.get("/dashboard/about").status == 200


def test_without_a_key_the_log_in_is_of_one_process_and_the_log_says_so(
    build: Callable[..., Browser], keystone: Keystone, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = build(keystone.server.url, ""), build(keystone.server.url, "")
    assert "[api] dashboard_keys is empty" in capfd.readouterr().err
    log_in(first)
    assert first.get("/dashboard/about").status == 200
    second.cookies = dict(first.cookies)
    assert second.get("/dashboard/about").status == 303


def test_other_origins_may_ask_the_api_but_no_page(
    tmp_path: pathlib.Path, keystone: Keystone
) -> None:
    extra = "[cors]\nallowed_origin = https://horizon.example\nallow_credentials = true\n"
    live_api.write_conf(tmp_path, _CONF.format(url=keystone.server.url, key=_KEYS[0]) + extra)
    arguments = ["--config-file", str(tmp_path / "ratekit.conf")]
    browser = Browser(api.build(configuration.load_for_serving(api.PROG, arguments)))
    headers = {"Origin": "https://horizon.example", "Access-Control-Request-Method": "GET"}
    name = "access-control-allow-origin"
    for verb in ("GET", "OPTIONS"):
        assert name in browser.get("/v1", headers=headers, verb=verb).headers
        for path in ("/dashboard/login", "/dashboard/about", "/dashboard/static/style.css"):
            assert name not in browser.get(path, headers=headers, verb=verb).headers
