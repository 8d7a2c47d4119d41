"""Who may do what over the API, by tokens of a real Keystone."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from ratekit.storage.sql import open_storage
from tests.contract import given
from tests.judges import live_api
from tests.judges.identity import Cloud, run_keystone
from tests.stack.keystone import User

CONF = """\
auth_strategy = keystone
[DEFAULT]
debug = true
# Its own lines of refused tokens are tracebacks where it may debug.
default_log_levels = keystonemiddleware=INFO,keystoneauth=DEBUG,oslo_policy=DEBUG,urllib3=DEBUG
[cors]
allowed_origin = https://horizon.example
[oslo_middleware]
enable_proxy_headers_parsing = true
[oslo_policy]
policy_file = {policies}
"""
#: Of the projects that have frames.
PRICES = {"alpha": Decimal(3), "beta": Decimal(5)}
YES, NO = 200, 403


@dataclasses.dataclass(frozen=True)
class Api:
    """A ratekit-api that takes a Keystone's tokens.

    :ivar tokens: all that were issued
    """

    cloud: Cloud
    folder: pathlib.Path
    url: str
    tokens: list[str] = dataclasses.field(default_factory=list)

    @property
    def policies(self) -> pathlib.Path:
        return self.folder / "policy.yaml"

    def token(self, user: User, **scope: Any) -> str:
        """Return a new token; without a scope one for the user's project."""
        names = scope or {"project_name": user.project, "project_domain_id": "default"}
        auth = v3.Password(
            auth_url=self.cloud.url,
            username=user.name,
            password=user.password,
            user_domain_id="default",
            **names,
        )
        return self.note(str(session.Session(auth=auth).get_token()))

    def note(self, token: str) -> str:
        self.tokens.append(token)
        return token

    def send(
        self, path: str, token: str | None = None, verb: str = "GET", **headers: str
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["X-Auth-Token"] = token
        return requests.request(verb, self.url + path, headers=sent, timeout=60)

    def statuses(self, token: str) -> Mapping[str, int]:
        """Return the status of each kind of request."""
        return {kind: self.send(path, token).status_code for kind, path in self.paths().items()}

    def paths(self) -> Mapping[str, str]:
        span = "begin=2026-01-01&end=2027-01-01"
        beta = self.cloud.project_ids["beta"]
        return {
            "own v1": f"/v1/report/total?{span}",
            "own v2": f"/v2/summary?{span}",
            "own frames": f"/v1/storage/dataframes?{span}",
            "other's": f"/v1/report/total?{span}&tenant_id={beta}",
            "all": f"/v1/report/summary?{span}&all_tenants=true",
            "info": "/v1/info/config",
            "modules": "/v2/rating/modules",
            "hashmap": "/v1/rating/module_config/hashmap/types",
            "scope": "/v2/scope",
        }


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with run_keystone(tmp_path_factory.mktemp("keystone")) as cloud:
        policies = folder / "policy.yaml"
        policies.write_text("{}\n")
        url = live_api.write_conf(folder, CONF.format(policies=policies) + cloud.conf)
        rate(url, cloud)
        with live_api.serve(folder) as address:
            api = Api(cloud, folder, address)
            yield api
        log = (folder / "api.log").read_text()
        assert " DEBUG keystoneauth" in log
        assert api.tokens
        assert [token for token in api.tokens if token in log] == []


def rate(url: str, cloud: Cloud) -> None:
    """Store one hour of each project."""
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    states = given.list_scopes(storage, *(cloud.project_ids[name] for name in PRICES))
    series = [
        given.build_series(cloud.project_ids[name], [("1", str(price))])
        for name, price in PRICES.items()
    ]
    storage.ledger.commit(given.batch(states, *series, periods=given.window(1)))


def create_user(api: Api, name: str, roles: Mapping[str, str]) -> User:
    """Create a user with roles on projects, by the roles' names."""
    user = User(name, f"{name}-password", next(iter(roles.values()), "alpha"))
    request = api.cloud.api.request
    facts = {"name": name, "password": user.password, "domain_id": "default"}
    user_id = request("POST", "/users", {"user": facts})["user"]["id"]
    for role, project in roles.items():
        request("PUT", f"/projects/{api.cloud.project_ids[project]}/users/{user_id}/roles/"
                f"{role_id(api, role)}")  # fmt: skip
    return user


def role_id(api: Api, name: str) -> str:
    roles = api.cloud.api.request("GET", f"/roles?name={name}")["roles"]
    if not roles:
        return str(api.cloud.api.request("POST", "/roles", {"role": {"name": name}})["role"]["id"])
    return str(roles[0]["id"])


def expected(own: int, foreign: int, info: int, manage: int) -> Mapping[str, int]:
    return {
        **{"own v1": own, "own v2": own, "own frames": own},
        **{"other's": foreign, "all": foreign},
        "info": info,
        **{"modules": manage, "hashmap": manage, "scope": manage},
    }


# Who may do what ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["reader", "member"])
def test_a_project_reads_its_bill_and_nobody_elses(api: Api, role: str) -> None:
    token = api.token(create_user(api, f"the-{role}", {role: "alpha"}))
    assert api.statuses(token) == expected(YES, NO, YES, NO)
    total = api.send(api.paths()["own v1"], token).json()
    assert Decimal(total) == PRICES["alpha"]
    beta = api.cloud.project_ids["beta"]
    (row,) = api.send("/v2/summary?response_format=object&begin=2026-01-01&end=2027-01-01",
                      token).json()["results"]  # fmt: skip
    assert Decimal(str(row["rate"])) == PRICES["alpha"]
    foreign = f"{api.paths()['own v2']}&filters=project_id:{beta}"
    assert api.send(foreign, token).json()["total"] == 0


def test_an_administrator_reads_everything(api: Api) -> None:
    token = api.token(api.cloud.admin)
    assert api.statuses(token) == expected(YES, YES, YES, YES)
    (row,) = api.send(api.paths()["all"], token).json()["summary"]
    assert Decimal(row["rate"]) == sum(PRICES.values())


def test_another_role_reads_no_bill(api: Api) -> None:
    token = api.token(create_user(api, "auditor", {"auditor": "alpha"}))
    assert api.statuses(token) == expected(NO, NO, YES, NO)


def test_a_token_without_a_project_reads_no_bill(api: Api) -> None:
    token = api.token(api.cloud.members["alpha"], unscoped=True)
    assert api.statuses(token) == expected(NO, NO, YES, NO)


@pytest.mark.parametrize("scope", [{"domain_id": "default"}, {"system_scope": "all"}])
def test_a_token_of_a_domain_or_of_the_system_is_of_no_use(
    api: Api, scope: Mapping[str, str]
) -> None:
    if "domain_id" in scope:
        request = api.cloud.api.request
        user_id = request("GET", "/users?name=admin")["users"][0]["id"]
        request("PUT", f"/domains/default/users/{user_id}/roles/{role_id(api, 'admin')}")
    token = api.token(api.cloud.admin, **scope)
    assert api.statuses(token) == expected(NO, NO, NO, NO)
    refusal = api.send("/v2/scope", token).json()
    assert refusal == {"message": "scope:get_state needs a token of a project"}


def test_a_service_token_adds_no_right(api: Api) -> None:
    member, admin = api.token(api.cloud.members["alpha"]), api.token(api.cloud.admin)
    service = api.token(create_user(api, "nova", {"service": "beta", "admin": "beta"}))
    assert api.send("/v2/scope", member, X_Service_Token=service).status_code == NO
    assert Decimal(api.send(api.paths()["own v1"], member, X_Service_Token=service).json()) == 3
    # An administrator is no service.
    assert api.send("/v2/scope", member, X_Service_Token=admin).status_code == 401
    assert api.send("/v2/scope", X_Service_Token=service).status_code == 401


# Tokens that are none -------------------------------------------------------------------------


def require_refusal(api: Api, token: str | None, **headers: str) -> None:
    for kind, path in api.paths().items():
        answer = api.send(path, token, **headers)
        assert answer.status_code == 401, kind
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{api.cloud.url}"'
        assert answer.headers["X-Openstack-Request-Id"]


def test_without_a_token_nothing_is_answered(api: Api) -> None:
    require_refusal(api, None)
    require_refusal(api, "")
    require_refusal(api, "gAAAAA-made-up")


def test_headers_of_the_middleware_cannot_be_forged(api: Api) -> None:
    forged = {
        "X_Identity_Status": "Confirmed",
        "X_Roles": "admin,reader",
        "X_Role": "admin",
        "X_Project_Id": api.cloud.project_ids["beta"],
        "X_Tenant_Id": api.cloud.project_ids["beta"],
        "X_Is_Admin_Project": "True",
        "X_User_Id": "somebody",
        "OpenStack_System_Scope": "all",
    }
    require_refusal(api, None, **forged)
    token = api.token(api.cloud.members["alpha"])
    assert api.send("/v2/scope", token, **forged).status_code == NO
    total = api.send(api.paths()["own v1"], token, **forged).json()
    assert Decimal(total) == PRICES["alpha"]


def test_a_revoked_token_is_refused(api: Api) -> None:
    token = api.token(api.cloud.members["alpha"])
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    requests.delete(f"{api.cloud.url}/auth/tokens", headers=headers, timeout=60).raise_for_status()
    require_refusal(api, token)


def test_a_token_is_refused_when_it_has_expired(api: Api) -> None:
    # A token ends with the application credential that it was issued for.
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)
    user = create_user(api, "brief", {"member": "alpha"})
    auth = v3.Password(
        auth_url=api.cloud.url, username=user.name, password=user.password,
        user_domain_id="default", project_name="alpha", project_domain_id="default",
    )  # fmt: skip
    client = session.Session(auth=auth)
    facts = {
        "name": "brief",
        "secret": "brief-secret",
        "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    path = f"{api.cloud.url}/users/{client.get_user_id()}/application_credentials"
    credential = client.post(path, json={"application_credential": facts}).json()
    brief = v3.ApplicationCredential(
        auth_url=api.cloud.url,
        application_credential_id=credential["application_credential"]["id"],
        application_credential_secret="brief-secret",
    )
    token = api.note(str(session.Session(auth=brief).get_token()))
    assert api.send(api.paths()["own v1"], token).status_code == 200
    while datetime.datetime.now(datetime.UTC) < end + datetime.timedelta(seconds=1):
        time.sleep(0.2)
    require_refusal(api, token)


@pytest.mark.parametrize("path", ["/", "/v1", "/v2", "/v1/", "/healthcheck", "/openapi.json"])
def test_some_paths_need_no_token(api: Api, path: str) -> None:
    assert api.send(path).status_code == 200
    # Not even a good one.
    assert api.send(path, "made-up").status_code == 200
    if path != "/healthcheck":
        assert api.send(path, verb="HEAD").status_code == 200


@pytest.mark.parametrize("path", ["//v2/scope", "/v2//scope", "/./v2/scope", "/v1/../v2/scope",
                                  "/healthcheck/../v2/scope", "/%2e/v2/scope"])  # fmt: skip
def test_no_spelling_of_a_path_needs_no_token(api: Api, path: str) -> None:
    prepared = requests.Request("GET", api.url).prepare()
    prepared.url = api.url + path
    with requests.Session() as client:
        assert client.send(prepared, timeout=60).status_code == 401


# Policies -------------------------------------------------------------------------------------


@pytest.fixture
def policies(api: Api) -> Iterator[pathlib.Path]:
    yield api.policies
    override(api.policies, "{}\n")


def override(path: pathlib.Path, text: str) -> None:
    """Replace the file; oslo.policy compares times of change, of seconds on some file systems."""
    before = path.stat().st_mtime
    path.write_text(text)
    os.utime(path, (before + 2, before + 2))


def test_an_override_is_read_again_without_a_restart(api: Api, policies: pathlib.Path) -> None:
    token = api.token(api.cloud.members["alpha"])
    path = "/v2/rating/modules"
    assert api.send(path, token).status_code == NO
    override(policies, '"v2_rating:list_modules": "role:member"\n')
    assert api.send(path, token).status_code == YES
    override(policies, '"info:get_config": "role:admin"\n')
    assert api.send(path, token).status_code == NO
    assert api.send("/v1/info/config", token).status_code == NO


def test_an_old_override_does_not_open_the_cloud_to_a_token_without_a_project(
    api: Api, policies: pathlib.Path
) -> None:
    # CloudKitty would compare the missing project of all tenants with that of the token (D22).
    rules = ("report:get_summary", "report:get_total", "summary:get_summary",
             "storage:list_data_frames", "dataframes:get")  # fmt: skip
    override(policies, "".join(f'"{rule}": "rule:admin_or_owner"\n' for rule in rules))
    unscoped = api.token(api.cloud.members["alpha"], unscoped=True)
    assert api.statuses(unscoped) == expected(NO, NO, YES, NO)
    member = api.token(api.cloud.members["alpha"])
    assert api.statuses(member) == expected(YES, NO, YES, NO)


def test_a_rule_that_lets_everybody_in_shows_nobody_elses_bill(
    api: Api, policies: pathlib.Path
) -> None:
    override(
        policies, '"report:get_summary": ""\n"report:get_total": "@"\n"summary:get_summary": ""\n'
    )
    member = api.token(api.cloud.members["alpha"])
    statuses = api.statuses(member)
    assert (statuses["other's"], statuses["own v1"]) == (NO, YES)
    summary = api.send(api.paths()["own v2"], member).json()
    assert Decimal(str(summary["results"][0][3])) == PRICES["alpha"]


def test_a_file_of_policies_that_breaks_opens_nothing(api: Api, policies: pathlib.Path) -> None:
    token = api.token(api.cloud.members["alpha"])
    override(policies, '"scope:get_state": [unclosed\n')
    assert api.statuses(token) == expected(YES, NO, YES, NO)
    log = (api.folder / "api.log").read_text()
    assert log.count("cannot be used: Failed to parse") + log.count("cannot be used: while") == 1
    override(policies, '"scope:get_state": "role:member"\n')
    assert api.send("/v2/scope", token).status_code == YES
    override(policies, "{}\n")
    assert api.statuses(token) == expected(YES, NO, YES, NO)


# Around it ------------------------------------------------------------------------------------


def test_a_browser_may_ask_from_an_allowed_origin_only(api: Api) -> None:
    allowed = {"Origin": "https://horizon.example", "Access_Control_Request_Method": "GET"}
    answer = api.send("/v2/summary", verb="OPTIONS", **allowed)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://horizon.example"
    other = api.send("/v2/summary", verb="OPTIONS", **{**allowed, "Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    token = api.token(api.cloud.members["alpha"])
    answer = api.send(api.paths()["own v2"], token, Origin="https://horizon.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://horizon.example"


def test_a_proxy_says_how_clients_reach_it(api: Api) -> None:
    answer = api.send("/", X_Forwarded_Proto="https", X_Forwarded_Host="rating.example",
                      X_Forwarded_Prefix="/rating")  # fmt: skip
    links = [version["links"][0]["href"] for version in answer.json()["versions"]]
    assert links == ["https://rating.example/rating/v1", "https://rating.example/rating/v2"]


def test_a_request_has_an_id_that_the_log_has_too(api: Api) -> None:
    theirs = "req-11111111-2222-3333-4444-555555555555"
    token = api.token(api.cloud.admin)
    before = api.send("/v2/scope", token).headers["X-Openstack-Request-Id"]
    answer = api.send("/v2/scope", "made-up", X_OpenStack_Request_ID=theirs)
    ours = answer.headers["X-Openstack-Request-Id"]
    assert len({before, ours, theirs}) == 3
    # A refused token has no user: the line must not name that of the thread's last request.
    lines = (api.folder / "api.log").read_text().splitlines()
    refusals = [line for line in lines if ours in line and "Authorization failed" in line]
    assert refusals
    assert [line for line in refusals if f"[{theirs} {ours} - - " not in line] == []
