"""What all operations share: paths, arguments, errors in the dialect of the prefix."""

from __future__ import annotations

import logging
import pathlib
import subprocess
import sys

import pytest

from tests.api_client import Client


def test_the_versions_are_public_and_name_their_urls(client: Client) -> None:
    response = client.get("/")
    assert response.status == 200
    assert [(entry["id"], entry["links"][0]["href"]) for entry in response.body["versions"]] == [
        ("v1", "http://falconframework.org/v1"),
        ("v2", "http://falconframework.org/v2"),
    ]
    assert client.send("HEAD", "/").status == 200


@pytest.mark.parametrize(
    ("verb", "path", "status", "text"),
    [
        ("GET", "/v1/nothing", 404, ""),
        ("GET", "/v1/rating/modules/nothing", 404, "Module not found."),
        ("GET", "/v1/rating/modules?enabled=1", 400, "unknown argument 'enabled'"),
        ("PATCH", "/v1/rating/modules", 405, ""),
        ("GET", "/v2/nothing", 404, ""),
        ("GET", "/v2/rating/modules/nothing", 404, "Module 'nothing' not found"),
        ("PUT", "/v2/rating/modules/hashmap?enabled=maybe", 400, "enabled: expected true or false"),
        ("GET", "/elsewhere", 404, ""),
    ],
)
def test_an_error_is_json_in_the_dialect_of_its_prefix(
    client: Client, verb: str, path: str, status: int, text: str
) -> None:
    response = client.send(verb, path)
    assert response.status == status
    if path.startswith("/v1"):
        assert set(response.body) == {"faultcode", "faultstring", "debuginfo"}
        assert response.body["faultcode"] == "Client"
        message = response.body["faultstring"]
    else:
        assert set(response.body) == {"message"}
        message = response.body["message"]
    assert text in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'{"enabled": NaN}', 400),
        (b"[" * 100_000, 400),
        (b'{"enabled": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b" " * 1_100_000, 413),
    ],
)
def test_a_bad_body_is_one_line(client: Client, body: bytes, status: int) -> None:
    response = client.send_bytes("PUT", "/v2/rating/modules/hashmap", body)
    assert response.status == status
    assert "\n" not in response.body["message"]


def test_only_changes_are_in_the_audit_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ratekit.audit")
    assert client.get("/v2/rating/modules").status == 200
    assert caplog.text == ""
    assert client.send("PUT", "/v2/rating/modules/hashmap", {"enabled": True}).status == 204
    assert "PUT /v2/rating/modules/hashmap enabled=True module_id='hashmap': done" in caplog.text


def test_a_request_id_is_in_every_answer(client: Client) -> None:
    ids = {client.get(path).headers["x-openstack-request-id"] for path in ("/", "/v2/nothing")}
    assert len(ids) == 2


def test_the_health_is_that_of_the_database(client: Client) -> None:
    assert client.get("/healthcheck").status == 200


_BUILD = """
import sys
import ratekit.wsgi
from ratekit.cmd import api, configuration
api.build(configuration.load_for_serving(api.PROG, sys.argv[1:]))
sys.exit("eventlet" in sys.modules)
"""


def test_the_api_needs_no_eventlet(client: Client, tmp_path: pathlib.Path) -> None:
    metrics = tmp_path / "metrics.yml"
    metrics.write_text("metrics: {a: {unit: u, extra_args: {resource_type: r}}}", encoding="utf-8")
    config = pathlib.Path(client.conf.config_file[0])
    with config.open("a", encoding="utf-8") as file:
        file.write(f"[collect]\nmetrics_conf = {metrics}\n")
    command = [sys.executable, "-c", _BUILD, "--config-file", str(config)]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize(("version", "key"), [("v1", "hot-config"), ("v2", "hot_config")])
def test_a_module_is_shown_alike_alone_and_in_the_list(
    client: Client, version: str, key: str
) -> None:
    path = f"/{version}/rating/modules"
    hashmap = client.get(f"{path}/hashmap").body
    assert (hashmap["module_id"], hashmap["enabled"], hashmap[key]) == ("hashmap", True, False)
    assert hashmap in client.get(path).body["modules"]
