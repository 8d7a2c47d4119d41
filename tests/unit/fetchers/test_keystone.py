"""The projects to rate, from a Keystone on loopback that plays recorded answers."""

import dataclasses
from typing import Any

import pytest
from keystoneauth1 import exceptions
from oslo_config import cfg

from ratekit import conf as core
from ratekit import errors, keystone, plugins
from ratekit.domain.scope import Scope
from ratekit.fetchers.keystone import KeystoneFetcher
from tests.stub_keystone import (
    ASSIGNMENTS,
    ME,
    PROJECTS,
    TOKENS,
    assignment,
    endpoint,
    plug_in_conf,
    respond,
)
from tests.stub_server import StubResponse, StubServer


@pytest.fixture
def identity(server: StubServer) -> StubServer:
    """A Keystone that has ratekit's user."""
    server.responses.clear()
    server.requests.clear()
    respond(server, [endpoint(server.url)])
    return server


def fetcher(url: str, **settings: Any) -> KeystoneFetcher:
    return KeystoneFetcher.from_conf(plug_in_conf("fetcher_keystone", url, **settings))


def assignment_list(*assignments: dict[str, Any], **fields: Any) -> StubResponse:
    return StubResponse({"role_assignments": list(assignments), "links": {}, **fields})


def project(id_: str, enabled: bool = True, is_domain: bool = False) -> dict[str, Any]:
    return {"id": id_, "name": f"project {id_}", "enabled": enabled, "is_domain": is_domain}


# Scopes --------------------------------------------------------------------------------------


def test_projects_with_the_role_are_listed_each_once(identity: StubServer) -> None:
    identity.respond(
        ASSIGNMENTS,
        assignment_list(
            assignment("p1"), assignment("p1"), assignment("p2"), assignment("p3", role="reader")
        ),
    )
    scopes = fetcher(identity.url).scopes()
    assert sorted(scopes) == [Scope("p1", "project p1"), Scope("p2", "project p2")]


def test_one_request_resolves_groups_and_inheritance(identity: StubServer) -> None:
    identity.respond(
        ASSIGNMENTS, assignment_list(*(assignment(f"p{number}") for number in range(100)))
    )
    assert len(fetcher(identity.url).scopes()) == 100
    requests = [request for request in identity.requests if request.path == ASSIGNMENTS]
    assert [request.query for request in requests] == [
        {"user.id": [ME], "effective": [""], "include_names": [""]}
    ]
    assert PROJECTS not in [request.path for request in identity.requests]


def test_a_role_on_the_domain_or_the_system_is_no_project(identity: StubServer) -> None:
    domain = {**assignment("x"), "scope": {"domain": {"id": "default", "name": "Default"}}}
    system = {**assignment("x"), "scope": {"system": {"all": True}}}
    identity.respond(ASSIGNMENTS, assignment_list(domain, system, assignment("p1")))
    assert [scope.id for scope in fetcher(identity.url).scopes()] == ["p1"]


def test_a_role_on_no_project_is_an_error_instead_of_an_empty_list(identity: StubServer) -> None:
    identity.respond(ASSIGNMENTS, assignment_list(assignment("p1", role="member")))
    with pytest.raises(errors.OperatorError, match="has the role 'rating' on no project; assuming"):
        fetcher(identity.url).scopes()


def test_the_role_may_have_another_name(identity: StubServer) -> None:
    identity.respond(
        ASSIGNMENTS, assignment_list(assignment("p1"), assignment("p2", role="billed"))
    )
    scopes = fetcher(identity.url, role_name="billed").scopes()
    assert [scope.id for scope in scopes] == ["p2"]


def test_disabled_projects_are_rated_because_they_still_hold_volumes(identity: StubServer) -> None:
    identity.respond(ASSIGNMENTS, assignment_list(assignment("p1"), assignment("p2")))
    identity.respond(
        PROJECTS, StubResponse({"projects": [project("p1"), project("p2", enabled=False)]})
    )
    assert len(fetcher(identity.url).scopes()) == 2


def test_disabled_projects_can_be_excluded(identity: StubServer) -> None:
    identity.respond(ASSIGNMENTS, assignment_list(assignment("p1"), assignment("p2")))
    identity.respond(
        PROJECTS, StubResponse({"projects": [project("p1"), project("p2", enabled=False)]})
    )
    scopes = fetcher(identity.url, ignore_disabled_tenants=True).scopes()
    assert [scope.id for scope in scopes] == ["p1"]


@pytest.mark.parametrize(("ignore_disabled", "ids"), [(False, ["p1", "p2"]), (True, ["p1"])])
def test_every_project_can_be_rated_regardless_of_roles(
    identity: StubServer, ignore_disabled: bool, ids: list[str]
) -> None:
    identity.respond(
        PROJECTS,
        StubResponse(
            {
                "projects": [
                    project("p1"),
                    project("p2", enabled=False),
                    project("default", is_domain=True),
                ]
            }
        ),
    )
    scopes = fetcher(
        identity.url, ignore_rating_role=True, ignore_disabled_tenants=ignore_disabled
    ).scopes()
    assert [scope.id for scope in scopes] == ids


# When Keystone does not answer, or not completely ---------------------------------------------


def test_a_truncated_list_is_for_an_operator(identity: StubServer) -> None:
    identity.respond(ASSIGNMENTS, assignment_list(assignment("p1"), truncated=True))
    with pytest.raises(
        errors.OperatorError, match="truncated its list of role_assignments; raise list_limit"
    ):
        fetcher(identity.url).scopes()


def test_a_list_that_is_not_truncated_is_complete(identity: StubServer) -> None:
    identity.respond(ASSIGNMENTS, assignment_list(assignment("p1"), truncated=False))
    assert len(fetcher(identity.url).scopes()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        StubResponse(b"<html>proxy</html>"),
        StubResponse(b'{"role_assignments": [{"ro'),
        StubResponse({}),
        StubResponse([]),
        StubResponse(None),
        StubResponse({"role_assignments": None}),
        StubResponse({"role_assignments": ["p1"]}),
        StubResponse(
            {"role_assignments": [{"role": {"id": "5f"}, "scope": {"project": {"id": "p1"}}}]}
        ),
        StubResponse(
            {"role_assignments": [{"role": {"name": "rating"}, "scope": {"project": {}}}]}
        ),
    ],
)
def test_an_invalid_list_is_no_answer(identity: StubServer, answer: StubResponse) -> None:
    """An empty list would mean that nobody is rated any more."""
    identity.respond(ASSIGNMENTS, answer)
    with pytest.raises(errors.TryLater, match="Keystone's list of role_assignments"):
        fetcher(identity.url).scopes()


@pytest.mark.parametrize(
    "answer", [StubResponse({"projects": [{}]}), StubResponse({"projects": "all"})]
)
def test_an_invalid_list_of_projects_is_no_answer(
    identity: StubServer, answer: StubResponse
) -> None:
    identity.respond(PROJECTS, answer)
    with pytest.raises(errors.TryLater, match="Keystone's list of projects"):
        fetcher(identity.url, ignore_rating_role=True).scopes()


@pytest.mark.parametrize("path", ["/v3/", TOKENS, ASSIGNMENTS])
@pytest.mark.parametrize("status", [200, 300, 400, 503])
@pytest.mark.parametrize(
    "answer",
    [
        StubResponse(b"[" * 50_000),
        StubResponse(b'{"version": ' * 50_000),
        StubResponse(b'{"role_assignments": ' + b"9" * 50_000 + b"}"),
        StubResponse(b"[", endless=b" " * (1 << 20)),
    ],
    ids=["lists", "objects", "digits", "endless"],
)
def test_a_hostile_answer_is_one_line(
    identity: StubServer, path: str, status: int, answer: StubResponse
) -> None:
    content_type = (("Content-Type", "application/json"),)
    identity.respond(path, dataclasses.replace(answer, status=status, headers=content_type))
    with pytest.raises(errors.RatekitError) as caught:
        fetcher(identity.url).scopes()
    (line,) = str(caught.value).splitlines()
    assert len(line) < 500
    assert "Keystone" in line or identity.url in line


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_failing_keystone_is_tried_later(identity: StubServer, status: int) -> None:
    identity.respond(ASSIGNMENTS, StubResponse(b"<html>\ntrouble</html>", status))
    with pytest.raises(errors.TryLater, match=f"role_assignments answered {status}") as caught:
        fetcher(identity.url).scopes()
    assert "\n" not in str(caught.value)


def test_a_keystone_that_does_not_answer_is_tried_later() -> None:
    """Raised by hand, because keystoneauth waits before a second attempt."""
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
def test_a_refusal_is_for_an_operator(identity: StubServer, status: int) -> None:
    identity.respond(
        ASSIGNMENTS,
        StubResponse(
            {"error": {"code": status, "message": "You shall not.", "title": "No"}}, status
        ),
    )
    with pytest.raises(errors.OperatorError, match="refused: You shall not"):
        fetcher(identity.url).scopes()


def test_building_the_fetcher_opens_no_connection(identity: StubServer) -> None:
    fetcher(identity.url)
    assert identity.requests == []


def test_a_section_without_authentication_is_a_mistake() -> None:
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    plugins.register_options(conf, KeystoneFetcher)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    with pytest.raises(errors.OperatorError, match=r"\[fetcher_keystone\] auth_type is not set"):
        KeystoneFetcher.from_conf(conf)


# What operators read ---------------------------------------------------------------------------


def test_rejected_credentials_name_the_address_and_the_section(identity: StubServer) -> None:
    identity.respond(TOKENS, StubResponse({"error": {"code": 401, "title": "No"}}, 401))
    with pytest.raises(errors.AccessDenied) as caught:
        fetcher(identity.url).scopes()
    assert str(caught.value) == (
        f"Keystone at {identity.url}: wrong user name, password, domain or project in "
        "[fetcher_keystone]"
    )


def test_an_endpoint_that_the_catalogue_lacks_is_reported_with_those_it_has(
    identity: StubServer,
) -> None:
    with pytest.raises(errors.AccessDenied) as caught:
        fetcher(identity.url, region_name="two").scopes()
    assert str(caught.value) == (
        f"Keystone at {identity.url}: its catalogue has no endpoint of type 'identity' with "
        "interface 'public' in region 'two'; it has: public in one; check [fetcher_keystone]"
    )


def test_a_url_of_another_service_is_reported(identity: StubServer) -> None:
    identity.responses.clear()
    with pytest.raises(errors.AccessDenied) as caught:
        fetcher(identity.url).scopes()
    assert str(caught.value) == (
        f"Keystone at {identity.url} is not a Keystone API; expected its URL, such as "
        "https://keystone.example/v3, as auth_url in [fetcher_keystone]"
    )
