"""The configuration and data that each of CloudKitty's gabbi files assumes."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.judges import cloudkitty_source, live_api, seeds
from tests.stub_keystone import TOKENS, endpoint, respond
from tests.stub_server import ReceivedRequest, StubResponse, StubServer, run_stub_server

_VALID_TOKEN = "c93e3e31342e4e32ba201fd3d70878b5"
_NOAUTH = "auth_strategy = noauth\nmax_range = 36500\n"
_CORS = "[cors]\nallowed_origin = http://valid.example.com\n"
_KEYSTONE = """
max_range = 36500
[keystone_authtoken]
auth_type = password
auth_url = {url}/v3
username = ratekit
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Setup:
    """What a file needs beside an API without tokens and an empty database."""

    seed: seeds.Seed = seeds.nothing
    extra: str = ""
    scope_key: str = "project_id"


_SETUPS: Mapping[str, _Setup] = {
    "ks_middleware_auth": _Setup(seeds.two_tenants_and_one_of_this_month),
    "ks_middleware_cors": _Setup(extra=_CORS),
    "no_auth": _Setup(seeds.two_tenants_and_one_of_this_month),
    "v1-report": _Setup(seeds.two_tenants_and_one_of_this_month),
    "v1-storage": _Setup(seeds.two_tenants_and_one_of_this_month),
    "v2-dataframes": _Setup(seeds.two_tenants),
    "v2-scope-state": _Setup(seeds.eight_scopes, scope_key=seeds.SCOPE_KEY),
    "v2-summary": _Setup(seeds.two_projects_of_this_month),
}


@contextmanager
def prepared(name: str, folder: pathlib.Path) -> Iterator[None]:
    """Write the configuration and the database for a file; keep what it needs beside them."""
    setup = _SETUPS.get(name, _Setup())
    metrics = live_api.METRICS
    if name == "v1-info":
        metrics = folder / "metrics.yml"
        # JSON is YAML.
        metrics.write_text(json.dumps(cloudkitty_source.metrics()), encoding="utf-8")
    with run_stub_server() as keystone:
        api = _NOAUTH + setup.extra
        if name == "ks_middleware_auth":
            _answer_tokens(keystone)
            api = _KEYSTONE.format(url=keystone.url)
        url = live_api.write_conf(folder, api, metrics=metrics, scope_key=setup.scope_key)
        setup.seed(url)
        yield


def _answer_tokens(keystone: StubServer) -> None:
    """Make a server vouch for CloudKitty's token, an administrator's, and for no other."""
    url = f"{keystone.url}/v3"
    respond(keystone, [endpoint(url, interface=name) for name in ("public", "internal")])
    (login,) = keystone.responses[TOKENS]
    body = login.body["token"]
    project = {"id": "service", "name": "service", "domain": {"id": "default", "name": "Default"}}
    roles = [{"id": name, "name": name} for name in ("admin", "member", "reader")]
    valid = StubResponse({"token": {**body, "project": project, "roles": roles}})

    def answer(request: ReceivedRequest) -> StubResponse:
        if request.method == "POST":
            return login
        is_valid = request.headers.get("X-Subject-Token") == _VALID_TOKEN
        return valid if is_valid else StubResponse({"error": "not a token"}, 404)

    keystone.decide(TOKENS, answer)
