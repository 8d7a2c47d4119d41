"""Commands over the API, as processes, by credentials of a real Keystone."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
import requests
import yaml
from keystoneauth1 import session
from keystoneauth1.identity import v3

from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.storage.sql import open_storage
from tests.contract import given
from tests.judges import live_api
from tests.judges.identity import Cloud, run_keystone
from tests.stack.keystone import REGION, User

_START = "import sys; from ratekit.cmd import launch; sys.exit(launch.ratekit())"
PRICES = {"alpha": "0.1", "beta": "12345678901234567890.0000000000000000000000000001"}
SPAN = "--begin 2026-03-01 --end 2026-03-02"
ALPHA = "explain --scope {alpha} --metric instance --period 2026-03-01T00:00 --offline"
#: As an administrator; names in braces are IDs, FILE a file of rules.
COMMANDS = [
    f"summary {SPAN}",
    f"summary {SPAN} -f json",
    f"summary {SPAN} --scope beta --groupby metric,hour -f csv",
    f"summary {SPAN} --timezone Europe/Berlin --groupby scope,day -f json",
    "summary --compare 2026-02 2026-03",
    "scope list",
    "scope list --all -f json",
    "scope show alpha",
    "scope show {beta} --periods 48 -f json",
    "quote --service instance --label flavor_name=m1.small --scope {beta} --at 2026-03-01",
    "quote --service instance --label flavor_name=m1.small --scope {alpha} --at 2026-03-01 -f json",
    ALPHA,
    f"{ALPHA} -f json",
    "hashmap plan FILE",
    "hashmap plan FILE --since 2026-03-01 -f json",
]


@dataclasses.dataclass(frozen=True)
class Result:
    """What a process did."""

    code: int
    out: str
    err: str


@dataclasses.dataclass(frozen=True)
class Site:
    """A ratekit-api that is the rating service of a cloud, and where commands run.

    :ivar folder: of the API, with ratekit.conf
    :ivar elsewhere: without a ratekit.conf, with clouds.yaml
    """

    cloud: Cloud
    folder: pathlib.Path
    elsewhere: pathlib.Path
    url: str

    def run(self, *argv: str, **environment: str) -> Result:
        """Run ``ratekit`` on a host that knows no database."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OS_", "XDG_", "RATEKIT_"))
        }
        process = subprocess.run(
            [sys.executable, "-c", _START, *argv],
            cwd=self.elsewhere,
            env={**inherited, "HOME": str(self.elsewhere), "COLUMNS": "300", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Result(process.returncode, process.stdout, process.stderr)

    def of_database(self, words: str) -> Result:
        """Run a command on the database."""
        return self.run("--config-file", str(self.folder / "ratekit.conf"), *self.split(words))

    def split(self, words: str) -> Sequence[str]:
        """Return the arguments of a command."""
        filled = words.format(**self.cloud.project_ids)
        return filled.replace("FILE", str(self.elsewhere / "rules.yml")).split()

    def password_options(self, user: User, project: str | None = None) -> Sequence[str]:
        """Return keystoneauth's options of a user."""
        return [
            *("--os-auth-url", self.cloud.url, "--os-username", user.name),
            *("--os-password", user.password, "--os-user-domain-id", "default"),
            *("--os-project-name", project or user.project, "--os-project-domain-id", "default"),
        ]

    def token(self, user: User) -> str:
        """Return a new token."""
        auth = v3.Password(
            auth_url=self.cloud.url, username=user.name, password=user.password,
            user_domain_id="default", project_name=user.project, project_domain_id="default",
        )  # fmt: skip
        return str(session.Session(auth=auth).get_token())


def describe(url: str, user: User, **changes: Any) -> Mapping[str, Any]:
    """Return a cloud of clouds.yaml."""
    auth = {
        "auth_url": url, "username": user.name, "password": user.password,
        "project_name": user.project, "user_domain_id": "default",
        "project_domain_id": "default", **changes,
    }  # fmt: skip
    return {"auth": auth, "region_name": REGION}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, elsewhere = tmp_path_factory.mktemp("api"), tmp_path_factory.mktemp("elsewhere")
    with run_keystone(tmp_path_factory.mktemp("keystone")) as cloud:
        database = live_api.write_conf(folder, "auth_strategy = keystone" + cloud.conf)
        rate(database, cloud)
        member = cloud.members["alpha"]
        clouds = {
            "admin": describe(cloud.url, cloud.admin),
            "alpha": describe(cloud.url, member),
            "wrong-password": describe(cloud.url, member, password="wrong"),
            "wrong-project": describe(cloud.url, member, project_name="beta"),
            "nothing-there": describe("http://127.0.0.1:9/v3", member),
            "wrong-region": {**describe(cloud.url, member), "region_name": "Mars"},
        }
        (elsewhere / "clouds.yaml").write_text(yaml.safe_dump({"clouds": clouds}))
        (elsewhere / "rules.yml").write_text(
            "services:\n  instance:\n    mappings:\n      - {cost: 4, type: flat}\n"
        )
        with cloud.serve(folder) as url:
            yield Site(cloud, folder, elsewhere, url)


def rate(url: str, cloud: Cloud) -> None:
    """Store three hours of each project, and a rule."""
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    rule = MappingRule(
        RuleTarget("instance", "flavor_name"), "m1.small", Terms(Decimal("0.1"), CostType.FLAT)
    )
    storage.rules.change(0, [], [rule], given.note())
    scopes = [Scope(cloud.project_ids[name], name) for name in PRICES]
    states = storage.ledger.observe(scopes, *[given.START] * 3).states
    series = [
        given.build_series(
            cloud.project_ids[name], [("1", price)] * 3, metadata={"flavor_name": "m1.small"}
        )
        for name, price in PRICES.items()
    ]
    storage.ledger.commit(given.batch(states, *series, periods=given.window(3), rules=1))


# What works -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_shows_what_it_shows_of_the_database(site: Site, words: str) -> None:
    expected = site.of_database(words)
    assert expected.code == 0, expected.err
    assert expected.out
    answer = site.run("--os-cloud", "admin", *site.split(words))
    assert (answer.code, answer.out) == (0, expected.out), answer.err
    options = site.password_options(site.cloud.admin)
    assert site.run(*options, *site.split(words)) == answer


def test_a_quote_is_for_the_project_of_the_token(site: Site) -> None:
    words = "quote --service instance --label flavor_name=m1.small --at 2026-03-01 -f json"
    answer = site.run("--os-cloud", "alpha", *site.split(words))
    expected = site.of_database(f"{words} --scope alpha")
    assert (answer.code, answer.out) == (0, expected.out), answer.err
    assert json.loads(answer.out)["Scope"] == site.cloud.project_ids["alpha"]


def test_the_environment_and_a_cloud_name_credentials(site: Site) -> None:
    words = site.split(f"summary {SPAN} -f json")
    expected = site.run("--os-cloud", "admin", *words)
    admin = site.cloud.admin
    environment = {
        "OS_USERNAME": admin.name, "OS_PASSWORD": admin.password, "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_NAME": admin.project, "OS_PROJECT_DOMAIN_ID": "default",
    }  # fmt: skip
    assert site.run("--os-auth-url", site.cloud.url, *words, **environment) == expected
    file = site.elsewhere / "moved.yaml"
    file.write_text((site.elsewhere / "clouds.yaml").read_text())
    moved = {"OS_CLIENT_CONFIG_FILE": str(file)}
    assert site.run("--os-cloud", "admin", *words, **moved) == expected
    token = {"OS_TOKEN": site.token(admin)}
    by_token = ["--os-auth-type", "v3token", "--os-auth-url", site.cloud.url]
    by_token += ["--os-project-name", admin.project, "--os-project-domain-id", "default"]
    assert site.run(*by_token, *words, **token) == expected


def test_a_member_sees_his_own(site: Site) -> None:
    alpha = site.cloud.project_ids["alpha"]
    expected = site.of_database(f"summary {SPAN} --scope {alpha} -f json")
    for words in (f"summary {SPAN} -f json", f"summary {SPAN} --scope {{alpha}} -f json"):
        answer = site.run("--os-cloud", "alpha", *site.split(words))
        assert answer.code == 0, answer.err
        (row,) = json.loads(answer.out)
        (whole,) = json.loads(expected.out)
        assert (row["Scope"], row["Price"]) == (alpha, whole["Price"]) == (alpha, "0.3")
    for words in (
        "quote --service instance --label flavor_name=m1.small --at 2026-03-01 -f json",
        f"{ALPHA} -f json",
    ):
        answer = site.run("--os-cloud", "alpha", *site.split(words))
        assert answer.code == 0, answer.err
        assert "0.1" in answer.out


# What does not --------------------------------------------------------------------------------


def require_one_line(result: Result, code: int, *texts: str) -> None:
    assert (result.code, result.out) == (code, ""), result
    assert result.err.startswith("ratekit: "), result.err
    assert result.err.count("\n") == 1, result.err
    for text in texts:
        assert text in result.err


@pytest.mark.parametrize(
    ("name", "code", "texts"),
    [
        ("wrong-password", 2, ["Keystone refuses the credentials", "401"]),
        ("wrong-project", 2, ["Keystone refuses the credentials", "401"]),
        ("nowhere", 2, ["cannot use the API", "nowhere"]),
        ("wrong-region", 2, ["the service catalogue has no endpoint of type rating", "Mars"]),
        ("nothing-there", 1, ["cannot log in to Keystone: ", "127.0.0.1:9", "Connection refused"]),
    ],
)
def test_a_cloud_that_cannot_be_used_is_one_line(
    site: Site, name: str, code: int, texts: Sequence[str]
) -> None:
    for words in (f"summary {SPAN}", "scope show alpha"):
        require_one_line(site.run("--os-cloud", name, *site.split(words)), code, *texts)


def test_a_token_that_is_none_any_more_is_one_line(site: Site) -> None:
    token = site.token(site.cloud.members["alpha"])
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    requests.delete(f"{site.cloud.url}/auth/tokens", headers=headers, timeout=60).raise_for_status()
    words = site.split(f"summary {SPAN}")
    by_keystone = ["--os-auth-type", "v3token", "--os-auth-url", site.cloud.url, "--os-token"]
    require_one_line(site.run(*by_keystone, token, *words), 2, "cannot log in to Keystone", "404")
    by_api = ["--os-auth-type", "admin_token", "--os-endpoint", site.url, "--os-token"]
    require_one_line(site.run(*by_api, token, *words), 2, "401: ")


@pytest.mark.parametrize(
    "words",
    ["scope list", "scope show {alpha}", "hashmap plan FILE",
     "quote --service instance --scope {beta}", ALPHA.replace("alpha", "beta")],
)  # fmt: skip
def test_what_a_member_may_not_is_one_line(site: Site, words: str) -> None:
    result = site.run("--os-cloud", "alpha", *site.split(words))
    require_one_line(result, 2, "403: ", "is not allowed for you; ask an administrator")


def test_a_user_without_a_role_is_one_line(site: Site) -> None:
    request = site.cloud.api.request
    roles = {role["name"]: role["id"] for role in request("GET", "/roles")["roles"]}
    auditor = request("POST", "/roles", {"role": {"name": "auditor"}})["role"]["id"]
    assert "auditor" not in roles
    facts = {"name": "auditor", "password": "auditor-password", "domain_id": "default"}
    user = request("POST", "/users", {"user": facts})["user"]["id"]
    project = site.cloud.project_ids["alpha"]
    request("PUT", f"/projects/{project}/users/{user}/roles/{auditor}")
    options = site.password_options(User("auditor", "auditor-password", "alpha"))
    for words in (f"summary {SPAN}", ALPHA):
        require_one_line(site.run(*options, *site.split(words)), 2, "403: ")


def test_options_without_a_password_are_one_line(site: Site) -> None:
    words = site.split("summary")
    require_one_line(site.run("--os-auth-url", site.cloud.url, *words), 2, "cannot use the API")
    options = ["--os-auth-url", site.cloud.url, "--os-username", "admin"]
    require_one_line(site.run(*options, *words), 2, "there is no password")
    wrong = ["--os-auth-type", "abacus", "--os-auth-url", site.cloud.url]
    require_one_line(site.run(*wrong, *words), 2, "abacus")
