"""Log-in to the pages, by passwords and tokens of a real Keystone."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import hmac
import pathlib
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any

import bs4
import pytest
import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from ratekit.api.arguments import Arguments
from ratekit.api.parts import Parts
from ratekit.api.visibility import Demand
from ratekit.cmd import api, configuration, startup
from ratekit.dashboard import application
from ratekit.dashboard.cookie import SessionCookies
from ratekit.dashboard.page import Page, PageCall, View
from tests.judges import live_api
from tests.judges.identity import Cloud, run_keystone
from tests.page_client import Browser, PageResponse
from tests.stack.keystone import User

#: Each request is checked by Keystone, so that nothing has to be waited for.
CONF = """\
dashboard = true
{cloud}
token_cache_time = -1
"""
BILL, FREE = "/dashboard/bill", "/dashboard/free"


class OwnProject(Arguments):
    """The reader's own project."""

    def demand(self, scope_key: str) -> Demand:
        return Demand(narrows=False)


def show_scopes(call: PageCall[OwnProject]) -> View:
    message = f"scopes {call.scopes}"
    return View({"title": "Bill", "message": message, "advice": "", "settings_link": ""})


PAGES = [
    Page(BILL, show_scopes, "summary:get_summary", "Bill", "error.html", OwnProject),
    Page(FREE, show_scopes, None, "Free", "error.html"),
    Page("/dashboard/rules", show_scopes, "rating:module_config", "Rules", "error.html"),
]


@dataclasses.dataclass
class Clock:
    """A clock that can be ahead."""

    ahead: datetime.timedelta = datetime.timedelta()

    def __call__(self) -> datetime.datetime:
        return startup.now() + self.ahead


@dataclasses.dataclass(frozen=True)
class Pages:
    """Pages in front of a Keystone."""

    cloud: Cloud
    parts: Parts

    def browser(self, clock: Clock | None = None) -> Browser:
        parts = self.parts if clock is None else dataclasses.replace(self.parts, clock=clock)
        return Browser(application.build(parts, PAGES))

    def log_in(self, user: User, **fields: str) -> Browser:
        """Return a browser in which a user has logged in."""
        browser = self.browser()
        response = submit(browser, user=user.name, password=user.password, **fields)
        assert response.status == 303, response.words
        return browser

    def token(self, user: User, **scope: Any) -> str:
        auth = v3.Password(
            self.cloud.url, username=user.name, password=user.password, user_domain_id="default",
            **(scope or {"project_name": user.project, "project_domain_id": "default"}),
        )  # fmt: skip
        return str(session.Session(auth=auth).get_token())

    def is_valid(self, token: str) -> bool:
        """Ask Keystone."""
        try:
            self._ask("GET", token)
        except exceptions.NotFound:
            return False
        return True

    def revoke(self, token: str) -> None:
        """Revoke a token, as another process does."""
        self._ask("DELETE", token)

    def _ask(self, verb: str, token: str) -> None:
        url, headers = f"{self.cloud.url}/auth/tokens", {"X-Subject-Token": token}
        self.cloud.api.session.request(url, verb, headers=headers)

    def create_user(self, name: str, *projects: str, **facts: Any) -> User:
        """Create a user who is a member of projects, and has no default project."""
        user = User(name, f"{name}-password", "")
        request = self.cloud.api.request
        body = {"name": name, "password": user.password, "domain_id": "default", **facts}
        user_id = request("POST", "/users", {"user": body})["user"]["id"]
        role = request("GET", "/roles?name=member")["roles"][0]["id"]
        for project in projects:
            project_id = self.cloud.project_ids[project]
            request("PUT", f"/projects/{project_id}/users/{user_id}/roles/{role}")
        return user

    def user_id(self, user: User) -> str:
        return str(self.cloud.api.request("GET", f"/users?name={user.name}")["users"][0]["id"])


def submit(browser: Browser, **fields: str) -> PageResponse:
    """Send the form of the log-in."""
    return browser.post("/dashboard/login", fields)


def token_of(pages: Pages, browser: Browser) -> str:
    """Return the token in a browser's cookie."""
    key = pages.parts.conf.api.dashboard_keys
    cookies = SessionCookies(key, startup.now)
    current = cookies.read(browser.cookies["ratekit_session"])
    assert current is not None
    return current.token


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("pages")
    with run_keystone(tmp_path_factory.mktemp("keystone")) as cloud:
        yield Pages(cloud, build_parts(folder, cloud))


def build_parts(folder: pathlib.Path, cloud: Cloud) -> Parts:
    key = base64.b64encode(b"k" * 32).decode()
    live_api.write_conf(folder, f"dashboard_keys = {key}\n" + CONF.format(cloud=cloud.conf))
    arguments = ["--config-file", str(folder / "ratekit.conf")]
    return api.build_parts(configuration.load_for_serving(api.PROG, arguments))


def reads(pages: Pages, browser: Browser, project: str) -> bool:
    """Return whether a browser's page is about this project alone."""
    return f"scopes frozenset({{'{pages.cloud.project_ids[project]}'}})" in browser.get(BILL).words


# Who is let in --------------------------------------------------------------------------------


def test_without_a_session_every_page_leads_to_the_log_in(pages: Pages) -> None:
    browser = pages.browser()
    for path in ("/dashboard", BILL, f"{BILL}?begin=2026-03-01", "/dashboard/settings"):
        response = browser.get(path)
        assert response.status == 303
        assert response.headers["location"].startswith("/dashboard/login?next=%2Fdashboard")
        assert "scopes" not in response.text
    login = browser.get("/dashboard/login")
    assert login.status == 200
    assert login.document.nav is None
    assert "openstack token issue" in login.words


def test_a_member_sees_his_project_and_his_name(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    response = browser.get(BILL)
    header = str(response.document.header)
    assert "alpha-member" in header
    assert "Project alpha" in [tag.text for tag in response.document.select(".person span")]
    assert reads(pages, browser, "alpha")
    assert [link.text for link in response.document.select("nav a")] == ["Bill", "Free"]
    assert browser.get("/dashboard/rules").status == 403


def test_an_administrator_sees_the_pages_of_operators(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.admin)
    assert browser.get("/dashboard/rules").status == 200


def test_the_log_in_leads_back_to_the_page(pages: Pages) -> None:
    browser, user = pages.browser(), pages.cloud.members["alpha"]
    address = browser.get(f"{BILL}?x=1&y=a%20b").headers["location"]
    form = browser.get(address)
    place = form.field("next")
    assert place == f"{BILL}?x=1&y=a%20b"
    response = submit(browser, user=user.name, password=user.password, next=str(place))
    assert response.headers["location"] == place


def test_a_project_may_be_named(pages: Pages) -> None:
    user = pages.create_user("both", "alpha", "beta")
    assert reads(pages, pages.log_in(user, project="beta"), "beta")
    # Else it is the first by name.
    assert reads(pages, pages.log_in(user), "alpha")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "wrong"},
        {"user": "nobody-of-this-name"},
        {"user_domain": "elsewhere"},
        {"project": "beta"},
        {"project": "no-such-project"},
        {"password": "x" * 5000},
        {"user": "x" * 5000},
        {"user": "\0"},
    ],
)
def test_wrong_credentials_are_refused(pages: Pages, fields: Mapping[str, str]) -> None:
    user = pages.cloud.members["alpha"]
    browser = pages.browser()
    response = submit(browser, **{"user": user.name, "password": user.password, **fields})
    assert response.status == 403
    assert "Keystone refused the log-in" in response.words
    assert user.password not in response.text
    assert browser.get(BILL).status == 303


def test_nothing_is_asked_of_keystone_without_a_password(pages: Pages) -> None:
    response = submit(pages.browser(), user="alpha-member", password="")
    assert response.status == 400
    assert "Enter a user and a password." in response.words
    assert response.field("user") == "alpha-member"


def test_a_disabled_user_is_refused_and_loses_his_session(pages: Pages) -> None:
    user = pages.create_user("leaver", "alpha")
    browser = pages.log_in(user)
    facts = {"user": {"enabled": False}}
    pages.cloud.api.request("PATCH", f"/users/{pages.user_id(user)}", facts)
    assert browser.get(BILL).status == 303
    assert submit(browser, user=user.name, password=user.password).status == 403


def test_a_second_factor_is_explained_and_its_token_is_accepted(pages: Pages) -> None:
    user = pages.create_user(
        "careful", "alpha",
        options={"multi_factor_auth_enabled": True,
                 "multi_factor_auth_rules": [["password", "totp"]]},
    )  # fmt: skip
    secret = base64.b32encode(b"01234567890123456789").decode()
    credential = {"blob": secret, "type": "totp", "user_id": pages.user_id(user)}
    pages.cloud.api.request("POST", "/credentials", {"credential": credential})
    browser = pages.browser()
    response = submit(browser, user=user.name, password=user.password)
    assert response.status == 403
    assert "more than a password" in response.words
    auth = v3.Auth(
        pages.cloud.url,
        [
            v3.PasswordMethod(username=user.name, password=user.password, user_domain_id="default"),
            v3.TOTPMethod(
                username=user.name, passcode=one_time_password(secret), user_domain_id="default"
            ),
        ],
        project_name="alpha",
        project_domain_id="default",
    )
    token = session.Session(auth=auth).get_token()
    assert submit(browser, token=f"  {token}\n").status == 303
    assert reads(pages, browser, "alpha")


def one_time_password(secret: str) -> str:
    """Return the present one, by RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


# Tokens ---------------------------------------------------------------------------------------


def test_a_token_of_a_project_is_accepted(pages: Pages) -> None:
    browser = pages.browser()
    assert submit(browser, token=pages.token(pages.cloud.members["beta"])).status == 303
    assert reads(pages, browser, "beta")


def test_a_token_of_no_project_is_changed_for_one_of_the_first(pages: Pages) -> None:
    browser = pages.browser()
    token = pages.token(pages.cloud.members["beta"], unscoped=True)
    assert submit(browser, token=token).status == 303
    assert reads(pages, browser, "beta")


@pytest.mark.parametrize("token", ["nonsense-token", "gAAAAAB" + "x" * 180, "a b", "ü", "x" * 5000])
def test_a_wrong_token_is_refused(pages: Pages, token: str) -> None:
    response = submit(pages.browser(), token=token)
    assert response.status == 403
    assert "token" in response.words
    assert token not in response.words


@pytest.mark.parametrize("scope", [{"domain_id": "default"}, {"system_scope": "all"}])
def test_a_token_of_a_domain_or_of_the_system_has_pages_that_say_so(
    pages: Pages, scope: Mapping[str, str]
) -> None:
    request, admin = pages.cloud.api.request, pages.cloud.admin
    role = request("GET", "/roles?name=admin")["roles"][0]["id"]
    request("PUT", f"/domains/default/users/{pages.user_id(admin)}/roles/{role}")
    browser = pages.browser()
    assert submit(browser, token=pages.token(admin, **scope)).status == 303
    for path in (BILL, "/dashboard/rules"):
        response = browser.get(path)
        assert response.status == 403
        assert response.content.h1 is not None
        assert response.content.h1.text == "No project is chosen"
    settings = browser.get(response.links["Choose another project"])
    assert [
        option.text.split(" ")[0] for option in settings.content.select("[name=project] option")
    ] == ["admin"]
    assert browser.get(FREE).status == 200


def test_who_has_no_project_is_told_so(pages: Pages) -> None:
    browser = pages.log_in(pages.create_user("loner"))
    response = browser.get(BILL)
    assert response.status == 403
    settings = browser.get(response.links["Choose another project"])
    assert "You have no project" in settings.words


# Sessions -------------------------------------------------------------------------------------


def test_the_cookie_hides_the_token_from_scripts_and_other_sites(pages: Pages) -> None:
    browser, user = pages.browser(), pages.cloud.members["alpha"]
    response = submit(browser, user=user.name, password=user.password)
    name_value, *attributes = response.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Path=/dashboard", "SameSite=Lax"} <= set(attributes)
    assert "Secure" not in attributes
    token = token_of(pages, browser)
    assert token
    assert token not in name_value


def test_the_cookie_ends_with_the_token(pages: Pages) -> None:
    clock = Clock()
    browser, user = pages.browser(clock), pages.cloud.members["alpha"]
    response = submit(browser, user=user.name, password=user.password)
    (age,) = [part for part in response.headers["set-cookie"].split("; ") if "Max-Age" in part]
    # The life of a token in this Keystone.
    assert 604_000 < int(age.partition("=")[2]) <= 604_800
    assert browser.get(BILL).status == 200
    clock.ahead = datetime.timedelta(seconds=604_801)
    assert browser.get(BILL).status == 303


def test_a_log_in_takes_no_session_of_before(pages: Pages) -> None:
    browser, user = pages.browser(), pages.cloud.members["alpha"]
    form = browser.get("/dashboard/login")
    planted = dict(browser.cookies)
    fields = {"user": user.name, "password": user.password}
    assert browser.post("/dashboard/login", fields, csrf=str(form.field("csrf"))).status == 303
    assert browser.cookies != planted
    attacker = pages.browser()
    attacker.cookies = planted
    assert attacker.get(BILL).status == 303
    # A form of before is worth nothing either.
    response = browser.post("/dashboard/zone", {"zone": "UTC"}, csrf=str(form.field("csrf")))
    assert response.status == 403


def test_a_log_in_needs_the_form_that_this_browser_was_shown(pages: Pages) -> None:
    user = pages.cloud.members["alpha"]
    fields = {"user": user.name, "password": user.password}
    foreign = str(pages.browser().get("/dashboard/login").field("csrf"))
    browser = pages.browser()
    browser.get("/dashboard/login")
    assert browser.post("/dashboard/login", fields, csrf=foreign).status == 403
    assert browser.get(BILL).status == 303


def test_a_forged_cookie_is_no_session(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    value = browser.cookies["ratekit_session"]
    for forged in (value[:-4] + "AAAA", value[:40], "x", "", "ü", "a" * 10_000):
        browser.cookies["ratekit_session"] = forged
        assert browser.get(BILL).status == 303


def test_a_header_with_a_token_logs_nobody_in(pages: Pages) -> None:
    token = pages.token(pages.cloud.members["alpha"])
    headers = {"X-Auth-Token": token, "X-Roles": "admin", "X-Identity-Status": "Confirmed"}
    assert pages.browser().get(BILL, headers=headers).status == 303


def test_a_revoked_token_ends_the_session(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    pages.revoke(token_of(pages, browser))
    response = browser.get(BILL)
    assert response.status == 303
    assert "Your session has ended" in browser.get(response.headers["location"]).words


def test_log_out_revokes_the_token(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    token, stolen = token_of(pages, browser), dict(browser.cookies)
    assert pages.is_valid(token)
    response = browser.post("/dashboard/logout", {}, csrf=browser.get(BILL).field("csrf"))
    assert response.status == 303
    assert "You are logged out" in browser.get(response.headers["location"]).words
    assert not pages.is_valid(token)
    assert token_of(pages, browser) == ""
    thief = pages.browser()
    thief.cookies = stolen
    assert thief.get(BILL).status == 303


def test_log_out_needs_its_form(pages: Pages) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    assert browser.get("/dashboard/logout").status == 405
    assert browser.post("/dashboard/logout", {}, csrf="x.y").status == 403
    assert browser.get(BILL).status == 200


# Projects -------------------------------------------------------------------------------------


def test_the_project_is_changed_and_the_token_of_before_revoked(pages: Pages) -> None:
    user = pages.create_user("switcher", "alpha", "beta")
    browser = pages.log_in(user)
    settings = browser.get("/dashboard/settings")
    options = settings.content.select("[name=project] option")
    assert [option.text.split(" ")[0] for option in options] == ["alpha", "beta"]
    previous = token_of(pages, browser)
    beta = pages.cloud.project_ids["beta"]
    response = browser.post("/dashboard/project", {"project": beta}, csrf=settings.field("csrf"))
    assert response.status == 303
    assert reads(pages, browser, "beta")
    assert not pages.is_valid(previous)


def test_projects_are_searched(pages: Pages) -> None:
    browser = pages.log_in(pages.create_user("searcher", "alpha", "beta"))
    settings = browser.get("/dashboard/settings", search="BET")
    (option,) = settings.content.select("[name=project] option")
    assert option["value"] == pages.cloud.project_ids["beta"]
    assert "No project fits" in browser.get("/dashboard/settings", search="gamma").words


@pytest.mark.parametrize("project", ["", "beta", "nonsense"])
def test_a_foreign_project_is_refused(pages: Pages, project: str) -> None:
    browser = pages.log_in(pages.cloud.members["alpha"])
    token = token_of(pages, browser)
    fields = {"project": pages.cloud.project_ids.get(project, project)}
    csrf = browser.get("/dashboard/settings").field("csrf")
    response = browser.post("/dashboard/project", fields, csrf=csrf)
    assert response.status in (400, 403)
    assert reads(pages, browser, "alpha")
    assert pages.is_valid(token)


def test_a_cloud_that_changes_no_token_says_what_to_do(
    tmp_path: pathlib.Path,
) -> None:
    extra = "[token]\nallow_rescope_scoped_token = false\n"
    with run_keystone(tmp_path / "keystone", extra) as cloud:
        folder = tmp_path / "pages"
        folder.mkdir()
        pages = Pages(cloud, build_parts(folder, cloud))
        browser = pages.log_in(pages.create_user("switcher", "alpha", "beta"))
        assert reads(pages, browser, "alpha")
        fields = {"project": cloud.project_ids["beta"]}
        csrf = browser.get("/dashboard/settings").field("csrf")
        response = browser.post("/dashboard/project", fields, csrf=csrf)
        assert response.status == 403
        assert "log out, and log in to the other project" in response.words.lower()


# A process ------------------------------------------------------------------------------------


def test_the_log_of_a_process_has_no_secret(pages: Pages, tmp_path: pathlib.Path) -> None:
    cloud, user = pages.cloud, pages.cloud.members["alpha"]
    extra = "[DEFAULT]\ndebug = true\ndefault_log_levels = keystoneauth=DEBUG,urllib3=DEBUG\n"
    live_api.write_conf(tmp_path, f"dashboard = true\n{extra}{cloud.conf}")
    secrets = [user.password, "a-wrong-password"]
    with live_api.serve(tmp_path) as address, requests.Session() as browser:

        def send(form: str, path: str, **fields: str) -> requests.Response:
            page = bs4.BeautifulSoup(browser.get(f"{address}{form}").text, "html.parser")
            secrets.extend(browser.cookies.values())
            csrf = page.select("[name=csrf]")[0]["value"]
            secrets.append(str(csrf))
            return browser.post(f"{address}{path}", data={"csrf": csrf, **fields})

        login = "/dashboard/login"
        refused = send(login, login, user=user.name, password="a-wrong-password")
        assert refused.status_code == 403
        assert send(login, login, user=user.name, password=user.password).status_code == 200
        assert "alpha-member" in browser.get(f"{address}/dashboard/about").text
        token = pages.token(user)
        secrets += [token, *browser.cookies.values()]
        assert "You are logged out" in send("/dashboard/about", "/dashboard/logout").text
        assert send(login, login, token=token).status_code == 200
        assert browser.get(f"{address}/dashboard/about").status_code == 200
    log = (tmp_path / "api.log").read_text()
    assert " DEBUG keystoneauth" in log
    assert len(set(secrets)) > 6
    assert [secret for secret in secrets if secret in log] == []
