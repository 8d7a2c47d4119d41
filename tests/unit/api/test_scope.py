"""``/v2/scope``: listing, resetting by tasks, activating."""

from __future__ import annotations

from typing import Any

import pytest

from ratekit.domain.reprocessing.task import TaskKind
from tests.api_client import Client
from tests.contract import given

PATH = "/v2/scope"


@pytest.fixture
def rated(client: Client) -> Client:
    """Return a client of an API over two scopes that are rated for two and three hours."""
    storage = client.parts.storage
    states = given.list_scopes(storage, "a1", "b2")
    charges = [("1", "1")] * 2
    series = [given.build_series(name, charges) for name in ("a1", "b2")]
    storage.ledger.commit(given.batch(states, *series, periods=given.window(2)))
    (state,) = storage.ledger.refresh(states[1:])
    last = given.window(1, given.hour(2))
    storage.ledger.commit(given.batch([state], periods=last))
    return client


def ids(client: Client, **query: object) -> list[str]:
    response = client.get(PATH, **query)
    if response.status == 404:
        return []
    return [row["scope_id"] for row in response.body["results"]]


def tasks(client: Client) -> list[tuple[str, int, int]]:
    """Return each open task: its scope, and the hours at which it begins and ends."""
    return [
        (
            task.order.scope.id,
            (task.order.begin - given.START) // given.HOUR,
            (task.order.end - given.START) // given.HOUR,
        )
        for task, _ in client.parts.storage.tasks.tasks()
    ]


def test_a_scope_has_the_keys_of_old_and_new_clients(rated: Client) -> None:
    response = rated.get(PATH, scope_id="a1")
    assert response.status == 200
    assert response.body == {
        "results": [
            {
                "scope_id": "a1",
                "scope_key": "project_id",
                "fetcher": "static",
                "collector": "gnocchi",
                "last_processed_timestamp": "2026-03-01T02:00:00+00:00",
                "state": "2026-03-01T02:00:00+00:00",
                "active": True,
                "scope_activation_toggle_date": None,
                "name": "name of a1",
                "failures": 0,
                "last_error": None,
                "retry_at": None,
                "listed": True,
                "last_seen": "2026-03-01T00:00:00+00:00",
                "lag": (14 * 24 + 9) * 3600,
            }
        ]
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["a1", "b2"]),
        ({"scope_id": ["a1", "b2"]}, ["a1", "b2"]),
        ({"scope_id": "b2,x"}, ["b2"]),
        ({"scope_id": "x"}, []),
        ({"scope_key": "project_id", "fetcher": "static", "collector": "gnocchi"}, ["a1", "b2"]),
        ({"scope_key": "domain_id"}, []),
        ({"fetcher": "keystone"}, []),
        ({"collector": "prometheus"}, []),
        ({"active": "1"}, ["a1"]),
        ({"active": "0"}, ["b2"]),
        ({"active": ["0", "1"]}, ["a1", "b2"]),
        ({"limit": "1"}, ["a1"]),
        ({"offset": "1", "limit": "100"}, ["b2"]),
        ({"offset": "2"}, []),
    ],
)
def test_scopes_are_filtered_and_paged(
    rated: Client, query: dict[str, object], expected: list[str]
) -> None:
    rated.parts.storage.scopes.deactivate("b2", given.hour(3))
    assert ids(rated, **query) == expected


@pytest.mark.parametrize("query", [{"limit": "0"}, {"active": "maybe"}, {"scope": "a1"}])
def test_wrong_filters_are_refused(rated: Client, query: dict[str, object]) -> None:
    assert rated.get(PATH, **query).status == 400


def test_no_scopes_at_all_are_not_found(client: Client) -> None:
    assert client.get(PATH).status == 404


def test_a_hundred_scopes_are_no_limit(client: Client) -> None:
    names = [f"s{number:03}" for number in range(120)]
    given.list_scopes(client.parts.storage, *names)
    assert ids(client) == names


@pytest.mark.parametrize("key", ["state", "last_processed_timestamp"])
def test_a_reset_queues_a_task_from_the_start_of_the_period(rated: Client, key: str) -> None:
    body = {"scope_id": "b2", key: "2026-03-01 01:45:10+00:00"}
    response = rated.send("PUT", PATH, body)
    assert (response.status, response.body) == (202, {})
    assert tasks(rated) == [("b2", 1, 3)]
    (task, _), *_ = rated.parts.storage.tasks.tasks()
    assert task.order.kind is TaskKind.COLLECT
    assert task.note.made_by == "noauth"
    assert task.note.reason == "reset to 2026-03-01T01:00:00Z through the API"
    assert ids(rated) == ["a1", "b2"]


def test_a_reset_of_all_scopes_means_all(client: Client) -> None:
    storage = client.parts.storage
    states = given.list_scopes(storage, *(f"s{number:03}" for number in range(120)))
    storage.ledger.commit(given.batch(states, periods=given.window(2)))
    storage.scopes.deactivate("s007", given.hour(3))
    body = {"all_scopes": True, "state": "2026-03-01T01:00:00"}
    assert client.send("PUT", PATH, body).status == 202
    assert {entry[1:] for entry in tasks(client)} == {(1, 2)}
    assert len(tasks(client)) == 120


def test_a_reset_of_all_scopes_leaves_out_those_that_are_not_rated_that_far(rated: Client) -> None:
    body = {"all_scopes": "true", "state": "2026-03-01T02:00:00"}
    assert rated.send("PUT", PATH, body).status == 202
    assert tasks(rated) == [("b2", 2, 3)]


def test_a_reset_to_where_a_scope_stands_changes_nothing(rated: Client) -> None:
    response = rated.send("PUT", PATH, {"scope_id": ["a1"], "state": "2026-03-01T02:30:00"})
    assert (response.status, response.body) == (202, {})
    assert tasks(rated) == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"state": "2026-03-01"}, 400, "Either all_scopes or a scope_id should be specified."),
        (
            {"state": "2026-03-01", "all_scopes": True, "scope_id": "a1"},
            400,
            "Either all_scopes or a scope_id should be specified.",
        ),
        ({"scope_id": "a1"}, 400, "expected last_processed_timestamp"),
        (
            {"scope_id": "a1", "state": "2026-03-01", "last_processed_timestamp": "2026-03-02"},
            400,
            "expected last_processed_timestamp",
        ),
        ({"scope_id": "x", "state": "2026-03-01"}, 404, "no scope fits"),
        ({"scope_id": ["a1", "x"], "state": "2026-03-01"}, 404, "no such scope: x"),
        ({"scope_id": "a1", "fetcher": "y", "state": "2026-03-01"}, 404, "no scope fits"),
        ({"scope_id": "a1", "state": "2026-03-01T03:00:00"}, 400, "scope activate --from"),
        ({"all_scopes": True, "state": "2026-04-01"}, 400, "no scope is rated until"),
        ({"scope_id": "a1", "state": "2026-02-28"}, 400, "is rated only from"),
        ({"scope_id": "a1", "state": "soon"}, 400, "expected a time"),
    ],
)
def test_a_reset_that_cannot_be_made_queues_nothing(
    rated: Client, body: dict[str, Any], status: int, text: str
) -> None:
    response = rated.send("PUT", PATH, body)
    assert response.status == status
    assert text in response.body["message"]
    assert tasks(rated) == []


def test_a_reset_of_periods_with_an_open_task_is_a_conflict(rated: Client) -> None:
    body = {"scope_id": "b2", "state": "2026-03-01T01:00:00"}
    assert rated.send("PUT", PATH, body).status == 202
    response = rated.send("PUT", PATH, {"all_scopes": True, "state": "2026-03-01"})
    assert response.status == 409
    assert "is open for scope b2" in response.body["message"]
    assert tasks(rated) == [("b2", 1, 3)]


def test_a_reset_to_what_was_purged_is_refused(rated: Client) -> None:
    rated.parts.storage.purge.start(given.hour(1), totals=False)
    response = rated.send("PUT", PATH, {"scope_id": "b2", "state": "2026-03-01"})
    assert response.status == 400
    assert "were purged" in response.body["message"]


def test_a_scope_is_deactivated_and_activated(rated: Client) -> None:
    shown = rated.get(PATH, scope_id="a1").body["results"][0]
    for word, expected in (("0", False), (False, False), ("True", True), (1, True)):
        response = rated.send("PATCH", PATH, {"scope_id": "a1", "active": word})
        assert response.status == 200, response.text
        assert response.body["active"] is expected
        assert (response.body["scope_activation_toggle_date"] is None) is expected
    same = {key: shown[key] for key in ("scope_id", "scope_key", "fetcher", "collector", "active")}
    assert rated.send("PATCH", PATH, same).body == shown


def test_only_active_can_be_changed(rated: Client) -> None:
    for key in ("fetcher", "collector", "scope_key"):
        response = rated.send("PATCH", PATH, {"scope_id": "a1", key: "other", "active": False})
        assert response.status == 400
        assert response.body["message"].startswith(f"{key}: expected ")
    assert rated.send("PATCH", PATH, {"scope_id": "x", "active": False}).status == 404
    assert rated.send("PATCH", PATH, {"active": False}).status == 400
    assert ids(rated, active="1") == ["a1", "b2"]


def test_a_scope_is_not_made_up(rated: Client) -> None:
    body = {"scope_id": "new", "last_processed_timestamp": "2026-03-01T00:00:00+00:00"}
    response = rated.send("POST", PATH, body)
    assert response.status == 501
    assert "come from the fetcher" in response.body["message"]
    assert rated.send("POST", PATH, {**body, "scope_id": "a1"}).status == 409
    assert ids(rated) == ["a1", "b2"]
