"""Who is rated, asked of a Keystone on loopback that plays recorded answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import exceptions, loading
from oslo_config import cfg

from ratekit import conf as core
from ratekit import errors, keystone, plugins
from ratekit.domain.scope import Scope
from ratekit.fetchers.keystone import KeystoneFetcher
from tests.loopback import Loopback, Played, serving

ASSIGNMENTS = "/v3/role_assignments"
PROJECTS = "/v3/projects"
TOKENS = "/v3/auth/tokens"
ME = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with serving() as loopback:
        yield loopback


@pytest.fixture
def identity(server: Loopback) -> Loopback:
    """A Keystone that knows ratekit's user."""
    server.answers.clear()
    server.received.clear()
    version = {
        "id": "v3.14",
        "status": "stable",
        "links": [{"rel": "self", "href": f"{server.url}/v3/"}],
        "media-types": [],
    }
    endpoint = {"interface": "public", "region": "one", "region_id": "one", "url": server.url}
    token = {
        "user": {"id": ME, "name": "rater", "domain": {"id": "default", "name": "Default"}},
        "methods": ["password"],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2999-01-01T00:00:00.000000Z",
        "catalog": [{"type": "identity", "name": "keystone", "endpoints": [endpoint]}],
    }
    server.play("/", Played({"versions": {"values": [version]}}, 300))
    server.play("/v3", Played({"version": version}))
    server.play("/v3/", Played({"version": version}))
    server.play(TOKENS, Played({"token": token}, 201, (("X-Subject-Token", "secret"),)))
    return server


def fetcher(url: str, **settings: Any) -> KeystoneFetcher:
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    plugins.register_options(conf, KeystoneFetcher)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    group = "fetcher_keystone"
    conf.set_override("auth_type", "password", group=group)
    # Registered by the auth plug-in only when it is loaded.
    conf.register_opts(loading.get_auth_plugin_conf_options("password"), group=group)
    given = {
        "auth_url": url, "username": "rater", "password": "secret", "project_name": "service",
        "user_domain_id": "default", "project_domain_id": "default", **settings,
    }  # fmt: skip
    for name, value in given.items():
        conf.set_override(name, value, group=group)
    return KeystoneFetcher.from_conf(conf)


def granted(project: str, role: str = "rating", name: str | None = None) -> dict[str, Any]:
    return {
        "role": {"id": f"id of {role}", "name": role},
        "user": {"id": ME, "name": "rater"},
        "scope": {"project": {"id": project, "name": name or f"project {project}"}},
        "links": {},
    }


def listed(*assignments: dict[str, Any], **more: Any) -> Played:
    return Played({"role_assignments": list(assignments), "links": {}, **more})


def project(id_: str, enabled: bool = True, is_domain: bool = False) -> dict[str, Any]:
    return {"id": id_, "name": f"project {id_}", "enabled": enabled, "is_domain": is_domain}


# Who is listed ------------------------------------------------------------------------------


def test_projects_with_the_role_are_listed_each_once(identity: Loopback) -> None:
    identity.play(
        ASSIGNMENTS,
        listed(granted("p1"), granted("p1"), granted("p2"), granted("p3", role="reader")),
    )
    found = fetcher(identity.url).scopes()
    assert sorted(found) == [Scope("p1", "project p1"), Scope("p2", "project p2")]


def test_one_request_resolves_groups_and_inheritance(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(*(granted(f"p{number}") for number in range(100))))
    assert len(fetcher(identity.url).scopes()) == 100
    asked = [one for one in identity.received if one.path == ASSIGNMENTS]
    assert [one.query for one in asked] == [
        {"user.id": [ME], "effective": [""], "include_names": [""]}
    ]
    assert PROJECTS not in [one.path for one in identity.received]


def test_a_role_on_the_domain_or_the_system_is_no_project(identity: Loopback) -> None:
    domain = {**granted("x"), "scope": {"domain": {"id": "default", "name": "Default"}}}
    system = {**granted("x"), "scope": {"system": {"all": True}}}
    identity.play(ASSIGNMENTS, listed(domain, system, granted("p1")))
    assert [scope.id for scope in fetcher(identity.url).scopes()] == ["p1"]


def test_a_role_on_no_project_is_told_and_no_empty_list(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1", role="member")))
    with pytest.raises(errors.OperatorError, match="has the role 'rating' on no project; assuming"):
        fetcher(identity.url).scopes()


def test_the_role_may_have_another_name(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1"), granted("p2", role="billed")))
    found = fetcher(identity.url, role_name="billed").scopes()
    assert [scope.id for scope in found] == ["p2"]


def test_disabled_projects_are_rated_for_they_still_hold_volumes(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1"), granted("p2")))
    identity.play(PROJECTS, Played({"projects": [project("p1"), project("p2", enabled=False)]}))
    assert len(fetcher(identity.url).scopes()) == 2


def test_disabled_projects_can_be_left_out(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1"), granted("p2")))
    identity.play(PROJECTS, Played({"projects": [project("p1"), project("p2", enabled=False)]}))
    found = fetcher(identity.url, ignore_disabled_tenants=True).scopes()
    assert [scope.id for scope in found] == ["p1"]


@pytest.mark.parametrize(("ignore_disabled", "ids"), [(False, ["p1", "p2"]), (True, ["p1"])])
def test_every_project_can_be_rated_whatever_the_roles(
    identity: Loopback, ignore_disabled: bool, ids: list[str]
) -> None:
    identity.play(
        PROJECTS,
        Played(
            {
                "projects": [
                    project("p1"),
                    project("p2", enabled=False),
                    project("default", is_domain=True),
                ]
            }
        ),
    )
    found = fetcher(
        identity.url, ignore_rating_role=True, ignore_disabled_tenants=ignore_disabled
    ).scopes()
    assert [scope.id for scope in found] == ids


# When Keystone does not answer, or not in full ------------------------------------------------


def test_a_list_that_keystone_cut_off_is_for_an_operator(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1"), truncated=True))
    with pytest.raises(
        errors.OperatorError, match="truncated its list of role_assignments; raise list_limit"
    ):
        fetcher(identity.url).scopes()


def test_a_list_that_says_it_is_whole_is_whole(identity: Loopback) -> None:
    identity.play(ASSIGNMENTS, listed(granted("p1"), truncated=False))
    assert len(fetcher(identity.url).scopes()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Played(b"<html>proxy</html>"),
        Played(b'{"role_assignments": [{"ro'),
        Played({}),
        Played([]),
        Played(None),
        Played({"role_assignments": None}),
        Played({"role_assignments": ["p1"]}),
        Played({"role_assignments": [{"role": {"id": "5f"}, "scope": {"project": {"id": "p1"}}}]}),
        Played({"role_assignments": [{"role": {"name": "rating"}, "scope": {"project": {}}}]}),
    ],
)
def test_a_senseless_list_is_no_answer(identity: Loopback, answer: Played) -> None:
    """An empty list would mean that nobody is rated any more."""
    identity.play(ASSIGNMENTS, answer)
    with pytest.raises(errors.TryLater, match="Keystone's list of role_assignments"):
        fetcher(identity.url).scopes()


@pytest.mark.parametrize("answer", [Played({"projects": [{}]}), Played({"projects": "all"})])
def test_a_senseless_list_of_projects_is_no_answer(identity: Loopback, answer: Played) -> None:
    identity.play(PROJECTS, answer)
    with pytest.raises(errors.TryLater, match="Keystone's list of projects"):
        fetcher(identity.url, ignore_rating_role=True).scopes()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_keystone_in_trouble_is_tried_later(identity: Loopback, status: int) -> None:
    identity.play(ASSIGNMENTS, Played(b"<html>\ntrouble</html>", status))
    with pytest.raises(errors.TryLater, match=f"role_assignments answered {status}") as caught:
        fetcher(identity.url).scopes()
    assert "\n" not in str(caught.value)


def test_a_keystone_that_does_not_answer_is_tried_later() -> None:
    """Said without waiting: keystoneauth pauses before it tries a second time."""
    for error in (
        exceptions.ConnectTimeout("too\nlong"),
        exceptions.UnknownConnectionError("x", OSError()),
    ):
        with (
            pytest.raises(errors.TryLater, match=r"Keystone does not answer: (too long|x)"),
            keystone.translate_errors("Keystone"),
        ):
            raise error


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_for_an_operator(identity: Loopback, status: int) -> None:
    identity.play(
        ASSIGNMENTS,
        Played({"error": {"code": status, "message": "You shall not.", "title": "No"}}, status),
    )
    with pytest.raises(errors.OperatorError, match="refused: You shall not"):
        fetcher(identity.url).scopes()


def test_a_wrong_password_is_for_an_operator(identity: Loopback) -> None:
    refused = {"error": {"code": 401, "message": "The request you made...", "title": "No"}}
    identity.play(TOKENS, Played(refused, 401))
    with pytest.raises(errors.OperatorError, match=r"wrong user name.* in \[fetcher_key"):
        fetcher(identity.url).scopes()


def test_building_it_opens_no_connection(identity: Loopback) -> None:
    fetcher(identity.url)
    assert identity.received == []


def test_a_section_without_authentication_says_what_it_lacks() -> None:
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    plugins.register_options(conf, KeystoneFetcher)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    with pytest.raises(errors.OperatorError, match=r"\[fetcher_keystone\] auth_type is not set"):
        KeystoneFetcher.from_conf(conf)
