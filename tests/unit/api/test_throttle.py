"""[api] requests_per_minute."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.storage import migrate
from tests.api_client import Client
from tests.databases import new_database


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Client:
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        return Client(tmp_path, url, "requests_per_minute = 3")


def test_a_project_has_so_many_requests_a_minute(client: Client) -> None:
    path = "/v2/rating/modules"
    a, b = {"X-Project-Id": "a"}, {"X-Project-Id": "b"}
    statuses = [client.send("GET", path, None, a).status for _ in range(4)]
    # The minute of the clock may have changed meanwhile: then it starts again once.
    assert statuses in ([200, 200, 200, 429], [200, 200, 200, 200])
    while (refused := client.send("GET", path, None, a)).status == 200:
        pass
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.body["message"].startswith("a project may send 3 requests a minute")
    assert client.send("GET", "/v1/rating/modules", None, a).body["faultcode"] == "Client"
    assert client.send("GET", path, None, b).status == 200


def test_what_needs_no_token_is_not_counted(client: Client) -> None:
    assert {client.get("/").status for _ in range(10)} == {200}
    assert {client.get("/healthcheck").status for _ in range(10)} == {200}


def test_a_token_without_a_project_counts_as_its_user(client: Client) -> None:
    statuses = [client.get("/v2/rating/modules").status for _ in range(8)]
    assert 429 in statuses
