"""Numbers, times and depths that Python cannot take are mistakes of the sender."""

from __future__ import annotations

import json

import pytest

from tests.api_client import Client

_DEEP = b'{"rules": ' + b'{"a": ' * 600 + b"1" + b"}" * 600 + b"}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rating/module_config/hashmap/mappings", b'{"cost": 1, "end": "9999-12-31"}'),
        ("/v1/rating/module_config/hashmap/mappings", b'{"cost": 1e99999999999999999999}'),
        ("/v1/rating/quote", b'{"resources": [1e99999999999999999999]}'),
        ("/v1/rating/quote", b'{"resources": ' + b"1" * 5_000 + b"}"),
        ("/v2/rating/plan", b'{"since": -1e99999999999999999999, "rules": "rules: []"}'),
        ("/v2/rating/plan", _DEEP),
        ("/v2/rating/plan", json.dumps({"rules": "[" * 600 + "]" * 600}).encode()),
        ("/v2/rating/plan", json.dumps({"rules": "{a: " * 5_000 + "}" * 5_000}).encode()),
    ],
)
def test_what_python_cannot_take_is_one_line(client: Client, path: str, body: bytes) -> None:
    response = client.send_bytes("POST", path, body)
    assert response.status == 400
    message = response.body.get("faultstring") or response.body["message"]
    assert 0 < len(message) < 500
    assert "\n" not in message


@pytest.mark.parametrize("extra", [11, 3_000])
def test_few_of_many_mistakes_are_told(client: Client, extra: int) -> None:
    body = {"k" * 300 + str(number): 1 for number in range(extra)}
    response = client.send("POST", "/v1/rating/quote", body)
    assert response.status == 400
    assert response.body["faultstring"].count("unknown argument") == 9
    assert response.body["faultstring"].endswith(f"; and {extra + 1 - 10} more")
    assert len(response.text) < 2_000


def test_a_public_path_reads_no_body(client: Client) -> None:
    for path in ("/", "/v1", "/openapi.json"):
        response = client.send_bytes("GET", path, b'{"unknown": ')
        assert response.status == 200
