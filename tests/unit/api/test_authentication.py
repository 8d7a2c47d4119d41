"""Nobody is let in by a set-up that leaves the decision to somebody else."""

from __future__ import annotations

import json
import pathlib

import pytest
from falcon import testing

from ratekit.cmd import api, configuration
from tests.api_client import Client
from tests.judges import live_api

_DELAYED = """
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:9/v3
www_authenticate_uri = http://127.0.0.1:9/v3
username = ratekit
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
http_request_max_retries = 0
delay_auth_decision = true
"""


def test_who_has_no_token_is_refused_where_keystonemiddleware_lets_him_through(
    tmp_path: pathlib.Path,
) -> None:
    live_api.write_conf(tmp_path, _DELAYED)
    arguments = ["--config-file", str(tmp_path / "ratekit.conf")]
    wsgi = api.build(configuration.load_for_serving(api.PROG, arguments))
    client = testing.TestClient(lambda environ, start: wsgi(environ, start))
    for path, key in (("/v1/info/config", "faultstring"), ("/v2/rating/modules", "message")):
        # The headers are those that keystonemiddleware would set.
        result = client.simulate_get(path, headers={"X-Roles": "admin", "X-Project-Id": "a1"})
        assert result.status_code == 401
        assert "token" in json.loads(result.text)[key]
        assert result.headers["www-authenticate"]
    assert client.simulate_get("/v1").status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.10", 200),
        ("::1", 200),
        ("203.0.113.9", 403),
        ("::ffff:203.0.113.9", 403),
        # By a Unix socket, behind which anybody may be.
        ("unix:", 403),
    ],
)
def test_without_tokens_only_this_host_is_let_in(client: Client, address: str, status: int) -> None:
    result = client.simulate("/v2/rating/modules", remote_addr=address)
    assert result.status_code == status
    if status == 403:
        assert "noauth" in result.json["message"]
