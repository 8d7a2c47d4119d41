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


@pytest.mark.parametrize("condition", [be_away, lack_endpoints, refuse_the_user, fail])
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
