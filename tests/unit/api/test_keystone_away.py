"""While Keystone cannot check tokens, clients are told to come back, in their dialect."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest
from falcon import testing

from ratekit.cmd import api, configuration
from tests.judges import live_api
from tests.stub_keystone import TOKENS, endpoint, respond
from tests.stub_server import StubResponse, StubServer, run_stub_server

_CONF = """
[keystone_authtoken]
auth_type = password
auth_url = {url}/v3
www_authenticate_uri = {url}/v3
username = ratekit
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
"""
#: What a proxy answers in place of the service behind it.
PAGE = StubResponse(b"<html><title>Maintenance</title>", 200, (("Content-Type", "text/html"),))


def be_away(keystone: StubServer) -> None:
    """Be where nothing listens."""
    keystone.url = "http://127.0.0.1:9"


def lack_endpoints(keystone: StubServer) -> None:
    """Let the service's user log in, to an empty catalog."""
    respond(keystone, [])


def refuse_the_user(keystone: StubServer) -> None:
    """Refuse the service's user."""
    respond(keystone, [endpoint(f"{keystone.url}/v3", interface="internal")])
    keystone.respond(TOKENS, StubResponse({"error": {"code": 401, "message": "no"}}, 401))


def fail(keystone: StubServer) -> None:
    """Fail when a token is to be checked."""
    respond(keystone, [endpoint(f"{keystone.url}/v3", interface="internal")])
    (login,) = keystone.responses[TOKENS]
    failure = StubResponse(b"<html>Traceback", 500)
    keystone.decide(TOKENS, lambda request: login if request.method == "POST" else failure)


def be_behind_a_proxy(keystone: StubServer) -> None:
    """Be behind a proxy that answers everything by a page."""
    for path in ("/", "/v3", "/v3/", TOKENS):
        keystone.respond(path, PAGE)


def log_in_with_a_page(keystone: StubServer) -> None:
    """Answer by a page when the service's user logs in."""
    respond(keystone, [endpoint(f"{keystone.url}/v3", interface="internal")])
    keystone.respond(TOKENS, PAGE)


def check_with(answer: StubResponse) -> Callable[[StubServer], None]:
    """Answer so when a token is to be checked."""

    def respond_so(keystone: StubServer) -> None:
        respond(keystone, [endpoint(f"{keystone.url}/v3", interface="internal")])
        (login,) = keystone.responses[TOKENS]
        keystone.decide(TOKENS, lambda request: login if request.method == "POST" else answer)

    return respond_so


CONDITIONS = {
    "away": be_away,
    "no endpoint": lack_endpoints,
    "service refused": refuse_the_user,
    "failure": fail,
    "pages": be_behind_a_proxy,
    "page at log-in": log_in_with_a_page,
    "page of a proxy": check_with(PAGE),
    "page of a bad gateway": check_with(StubResponse(b"<html>Bad Gateway", 502)),
    "nothing": check_with(StubResponse(b"", 200)),
    "no token": check_with(StubResponse({"error": {}}, 200)),
    "a number": check_with(StubResponse({"token": 5}, 200)),
    "an empty token": check_with(StubResponse({"token": {}}, 200)),
    "no time": check_with(StubResponse({"token": {"expires_at": "soon"}}, 200)),
    "a list": check_with(StubResponse([], 200)),
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_token_that_cannot_be_checked_is_503(
    condition: Callable[[StubServer], None], tmp_path: pathlib.Path
) -> None:
    with run_stub_server() as keystone:
        condition(keystone)
        live_api.write_conf(tmp_path, _CONF.format(url=keystone.url))
        conf = configuration.load_for_serving(
            api.PROG, ["--config-file", str(tmp_path / "ratekit.conf")]
        )
        wsgi = api.build(conf)
        # Falcon looks at the signature, which oslo.middleware hides.
        client = testing.TestClient(lambda environ, start: wsgi(environ, start))
        for path, key in (("/v1/rating/modules", "faultstring"), ("/v2/summary", "message")):
            result = client.simulate_get(path, headers={"X-Auth-Token": "0" * 32})
            assert result.status_code == 503
            assert result.headers["content-type"] == "application/json"
            assert result.headers["retry-after"] == "10"
            assert json.loads(result.text)[key] == (
                "Keystone cannot be asked whether the token is valid; try again later"
            )
        assert client.simulate_get("/").status_code == 200
