"""Sessions: which endpoint they choose, where they send credentials, and whom they trust."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ratekit import errors
from ratekit.collectors.gnocchi.api.connect import open_client
from ratekit.domain.scope import Scope
from ratekit.fetchers.keystone import KeystoneFetcher
from tests.private_ca import PrivateAuthority
from tests.stub_keystone import ASSIGNMENTS, TOKENS, assignment, endpoint, plug_in_conf, respond
from tests.stub_server import StubResponse, StubServer, run_stub_server

FETCHER = "fetcher_keystone"
GNOCCHI = "collector_gnocchi"
RESOURCE_TYPE = "/v1/resource_type/instance"


@pytest.fixture
def cloud() -> Iterator[StubServer]:
    """A Keystone, and a Gnocchi under the path ``/metric``."""
    with run_stub_server() as server:
        respond_as_cloud(server)
        yield server


def respond_as_cloud(server: StubServer) -> None:
    respond(server, [endpoint(server.url), gnocchi_at(server.url)])
    server.respond(ASSIGNMENTS, StubResponse({"role_assignments": [assignment("p1")]}))
    server.respond(f"/metric{RESOURCE_TYPE}", StubResponse({"attributes": {}}))


@pytest.fixture
def stranger() -> Iterator[StubServer]:
    """Another host."""
    with run_stub_server() as server:
        respond(server, [endpoint(server.url)])
        yield server


def gnocchi_at(url: str, region: str = "one") -> dict[str, Any]:
    return endpoint(f"{url}/metric", region, "internal", "metric")


def list_scopes(url: str, **settings: Any) -> list[Scope]:
    return scopes_by(plug_in_conf(FETCHER, url, **settings))


def scopes_by(conf: Any) -> list[Scope]:
    return list(KeystoneFetcher.from_conf(conf).scopes())


def ask_gnocchi(url: str, **settings: Any) -> object:
    return attributes_by(plug_in_conf(GNOCCHI, url, **settings))


def attributes_by(conf: Any) -> object:
    return open_client(conf).attributes("instance")


#: A request through each section.
REQUESTS: dict[str, Callable[..., object]] = {FETCHER: list_scopes, GNOCCHI: ask_gnocchi}


# Redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize(
    ("group", "path", "remedy"),
    [
        (FETCHER, "/", f"auth_url in [{FETCHER}]"),
        (FETCHER, TOKENS, f"auth_url in [{FETCHER}]"),
        (FETCHER, ASSIGNMENTS, f"auth_url in [{FETCHER}]"),
        (GNOCCHI, TOKENS, f"auth_url in [{GNOCCHI}]"),
    ],
)
def test_credentials_are_not_sent_to_another_host(
    cloud: StubServer, stranger: StubServer, group: str, path: str, remedy: str, status: int
) -> None:
    location = f"{stranger.url}{path}"
    cloud.respond(path, StubResponse(b"", status, (("Location", location),)))
    with pytest.raises(errors.CloudMismatch) as caught:
        REQUESTS[group](cloud.url)
    assert stranger.requests == []
    assert f"redirects to {location}" in str(caught.value)
    assert str(caught.value).endswith(f"correct {remedy}")


@pytest.mark.parametrize("settings", [{}, {"gnocchi_endpoint": "{}/metric"}])
def test_a_token_is_not_sent_to_another_host(
    cloud: StubServer, stranger: StubServer, settings: dict[str, str]
) -> None:
    """Gnocchi is not Keystone's neighbour here, so that its own option is named."""
    with run_stub_server() as gnocchi:
        respond(cloud, [endpoint(cloud.url), gnocchi_at(gnocchi.url)])
        url = f"{gnocchi.url}/metric{RESOURCE_TYPE}"
        redirect = StubResponse(b"", 307, (("Location", f"{stranger.url}/"),))
        gnocchi.respond(f"/metric{RESOURCE_TYPE}", redirect)
        settings = {name: text.format(gnocchi.url) for name, text in settings.items()}
        with pytest.raises(errors.CloudMismatch) as caught:
            ask_gnocchi(cloud.url, **settings)
    assert stranger.requests == []
    assert str(caught.value) == (
        f"{url} redirects to {stranger.url}/; ratekit does not send credentials to another scheme, "
        f"host or port: correct gnocchi_endpoint in [{GNOCCHI}], or the endpoint in the service "
        "catalogue"
    )


@pytest.mark.parametrize("location", ["https://127.0.0.1", "http://[::1", "//elsewhere.invalid"])
def test_another_scheme_or_no_address_is_another_host(cloud: StubServer, location: str) -> None:
    cloud.respond(ASSIGNMENTS, StubResponse(b"", 302, (("Location", location),)))
    with pytest.raises(errors.CloudMismatch, match="redirects to"):
        list_scopes(cloud.url)


def test_a_redirect_on_the_same_host_is_followed(cloud: StubServer) -> None:
    cloud.respond("/v3/elsewhere", *cloud.responses[ASSIGNMENTS])
    for location in ("/v3/elsewhere", "elsewhere", f"{cloud.url}/v3/elsewhere"):
        cloud.respond(ASSIGNMENTS, StubResponse(b"", 302, (("Location", location),)))
        assert list_scopes(cloud.url) == [Scope("p1", "project p1")]


def test_redirects_that_never_end_are_given_up(cloud: StubServer) -> None:
    for path in (ASSIGNMENTS, f"/metric{RESOURCE_TYPE}"):
        cloud.respond(path, StubResponse(b"", 302, (("Location", path),)))
    for request in REQUESTS.values():
        with pytest.raises(errors.RatekitError):
            request(cloud.url)
    paths = [request.path for request in cloud.requests]
    assert 1 < paths.count(ASSIGNMENTS) < 10
    assert 1 < paths.count(f"/metric{RESOURCE_TYPE}") < 100


# Which endpoint -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("group", "kind", "interface"),
    [(FETCHER, "identity", "public"), (GNOCCHI, "metric", "internalURL")],
)
def test_of_two_regions_none_is_taken(
    cloud: StubServer, group: str, kind: str, interface: str, is_reversed: bool
) -> None:
    endpoints = [
        *(endpoint(cloud.url, "one"), gnocchi_at(cloud.url, "one")),
        *(endpoint(f"{cloud.url}/two", "two"), gnocchi_at(f"{cloud.url}/two", "two")),
    ]
    respond(cloud, endpoints[::-1] if is_reversed else endpoints)
    with pytest.raises(errors.CloudMismatch) as caught:
        REQUESTS[group](cloud.url)
    assert str(caught.value) == (
        f"Keystone at {cloud.url}: its catalogue has 2 endpoints of type {kind!r} with interface "
        f"{interface!r} in the regions one, two: set region_name in [{group}]"
    )
    REQUESTS[group](cloud.url, region_name="one")


@pytest.mark.parametrize("group", [FETCHER, GNOCCHI])
def test_regions_that_share_a_service_are_one(cloud: StubServer, group: str) -> None:
    respond(
        cloud,
        [
            *(endpoint(cloud.url, "one"), gnocchi_at(cloud.url, "one")),
            *(endpoint(f"{cloud.url}/", "two"), gnocchi_at(cloud.url, "two")),
        ],
    )
    REQUESTS[group](cloud.url)
    assert cloud.requests


def test_two_services_of_one_type_are_named(cloud: StubServer) -> None:
    other = gnocchi_at(f"{cloud.url}/other")
    respond(cloud, [endpoint(cloud.url), gnocchi_at(cloud.url), other])
    with pytest.raises(errors.CloudMismatch) as caught:
        ask_gnocchi(cloud.url)
    assert str(caught.value).endswith(
        f"in region one: {cloud.url}/metric, {cloud.url}/other/metric: set gnocchi_endpoint in "
        f"[{GNOCCHI}]"
    )
    ask_gnocchi(cloud.url, gnocchi_endpoint=f"{cloud.url}/metric")


def test_the_identity_endpoint_can_be_the_internal_one(cloud: StubServer) -> None:
    internal = endpoint(cloud.url, "one", "internal")
    respond(cloud, [endpoint("http://unreachable.invalid"), internal])
    for interface in ("internal", "internalURL"):
        assert list_scopes(cloud.url, interface=interface) == [Scope("p1", "project p1")]


@pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/"])
def test_the_identity_endpoint_can_be_a_url(cloud: StubServer, path: str) -> None:
    respond(cloud, [endpoint("http://unreachable.invalid")])
    url = f"{cloud.url}{path}"
    assert list_scopes(cloud.url, endpoint_override=url) == [Scope("p1", "project p1")]


# Clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("hours", [-5, 0, 5])
def test_every_response_shows_the_clock_of_its_server(
    cloud: StubServer, hours: int, status: int
) -> None:
    cloud.respond("/v3", StubResponse(b"", status))
    cloud.respond("/metric/", StubResponse(b"", status))
    cloud.clock_offset = hours * 3600
    fetcher = KeystoneFetcher.from_conf(plug_in_conf(FETCHER, cloud.url))
    assert fetcher.scopes()
    readings = [
        fetcher.read_clock(),
        open_client(plug_in_conf(GNOCCHI, cloud.url)).read_clock(),
    ]
    offset = datetime.timedelta(hours=hours)
    for name, reading in zip(("Keystone", "Gnocchi"), readings, strict=True):
        assert reading is not None
        assert reading.name == name
        assert reading.lower <= offset <= reading.upper


def test_a_server_that_does_not_answer_has_no_clock() -> None:
    with run_stub_server() as server:
        respond(server, [endpoint("http://127.0.0.1:1"), gnocchi_at("http://127.0.0.1:1")])
        for source in (
            KeystoneFetcher.from_conf(plug_in_conf(FETCHER, server.url)),
            open_client(plug_in_conf(GNOCCHI, server.url)),
        ):
            with pytest.raises(errors.TryLater):
                source.read_clock()


# TLS ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "request_by", "answer"),
    [
        (FETCHER, scopes_by, [Scope("p1", "project p1")]),
        (GNOCCHI, attributes_by, frozenset()),
    ],
)
def test_a_private_authority_is_trusted_where_the_message_says(
    tmp_path: pathlib.Path, group: str, request_by: Callable[[Any], object], answer: object
) -> None:
    authority = PrivateAuthority(tmp_path)
    with run_stub_server(authority.server_context()) as server:
        respond_as_cloud(server)
        conf = plug_in_conf(group, server.url, section="shared")
        with pytest.raises(errors.AccessDenied) as caught:
            request_by(conf)
        assert f"check cafile and insecure in [{group}]" in str(caught.value)
        conf.set_override("cafile", str(authority.certificate), group=group)
        assert request_by(conf) == answer
