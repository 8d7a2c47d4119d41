"""schemathesis tries what the OpenAPI document allows, and what it does not, on a running API."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import requests

from tests.judges import environments, live_api, seeds
from tests.judges.conftest import FULL

#: Examples of each operation in the phases that choose at random.
_EXAMPLES = 100 if FULL else 10
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
#: 501 is what an operation answers that CloudKitty has and ratekit refuses.
_CONF = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]
[parameters]
module_id = "hashmap"
metric = "instance"
"""
_HASHMAP = "/v1/rating/module_config/hashmap"


def test_answers_are_as_documented_and_never_a_server_error(tmp_path: pathlib.Path) -> None:
    url = live_api.write_conf(tmp_path, "auth_strategy = noauth\nmax_range = 36500\n")
    seeds.two_tenants(url)
    conf = tmp_path / "schemathesis.toml"
    with live_api.serve(tmp_path) as api:
        ids = _create_rules(api)
        lines = [f'{name} = "{value}"' for name, value in ids.items()]
        conf.write_text(_CONF + "\n".join(lines), encoding="utf-8")
        command = [
            str(environments.programs("schemathesis") / "schemathesis"),
            *("--config-file", str(conf), "run", f"{api}/openapi.json"),
            *("--checks", ",".join(_CHECKS), "--max-examples", str(_EXAMPLES)),
            *("--continue-on-failure", "--seed", "1"),
        ]
        result = environments.run(command, 1800, folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    # Without operations it would have found nothing.
    assert "Fuzzing" in result.stdout
    assert "Stateful" in result.stdout


def _create_rules(api: str) -> Mapping[str, str]:
    """Create one of each, so that operations on them do more than answer 404."""
    ids: dict[str, str] = {}

    def create(noun: str, **facts: object) -> None:
        response = requests.post(f"{api}{_HASHMAP}/{noun}s", json=facts, timeout=30)
        assert response.status_code == 201, response.text
        ids[f"{noun}_id"] = response.json()[f"{noun}_id"]

    create("service", name="instance")
    create("field", service_id=ids["service_id"], name="flavor_name")
    create("group", name="uptime")
    create("mapping", field_id=ids["field_id"], value="m1", cost="0.1", group_id=ids["group_id"])
    create("threshold", service_id=ids["service_id"], level="5", cost="0.2")
    return ids
