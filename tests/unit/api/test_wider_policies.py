"""An operator's policies may be wider than the defaults; a project still sees only itself."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.storage import migrate
from tests.api_client import PROJECT, Client
from tests.contract import given
from tests.databases import new_database

OWN = {PROJECT: "a1"}
POLICIES = ("scope:get_state", "scope:reset_state", "scope:patch_state",
            "schedule:get_task_reprocesses", "schedule:task_reprocesses")  # fmt: skip
TIMES = {
    "start_reprocess_time": "2026-03-01T00:00:00",
    "end_reprocess_time": "2026-03-01T01:00:00",
    "reason": "wrong",
}


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[Client]:
    """Return a client of an API that lets everybody use scopes and tasks."""
    policies = tmp_path / "policy.yaml"
    policies.write_text("".join(f'"{name}": ""\n' for name in POLICIES))
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        client = Client(tmp_path, url, f"[oslo_policy]\npolicy_file = {policies}\n")
        states = given.list_scopes(client.parts.storage, "a1", "b2")
        client.parts.storage.ledger.commit(given.batch(states, periods=given.window(2)))
        yield client


def test_a_project_lists_and_changes_only_itself(client: Client) -> None:
    listed = client.get_as("a1", "/v2/scope").body["results"]
    assert [entry["scope_id"] for entry in listed] == ["a1"]
    assert client.get_as("a1", "/v2/scope", scope_id="b2").status == 404
    assert client.get_as("", "/v2/scope").status == 404
    assert client.get_as("a1", "/v2/scope/coverage", scope_id="a1").status == 200
    for project in ("a1", ""):
        refusal = client.get_as(project, "/v2/scope/coverage", scope_id="b2")
        assert (refusal.status, refusal.body) == (404, {"message": "Scope 'b2' not found"})
    for scope, status in (("b2", 404), ("a1", 200)):
        body = {"scope_id": scope, "active": False}
        assert client.send("PATCH", "/v2/scope", body, OWN).status == status
    rows = {row.id: row.deactivated_at for row in client.parts.storage.reports.scopes(ALL_SCOPES)}
    assert rows["a1"] is not None
    assert rows["b2"] is None


def test_a_project_resets_only_itself(client: Client) -> None:
    body = {"scope_id": "b2", "state": "2026-03-01"}
    assert client.send("PUT", "/v2/scope", body, OWN).status == 404
    body = {"all_scopes": "true", "state": "2026-03-01"}
    assert client.send("PUT", "/v2/scope", body, OWN).status == 202
    assert [task.order.scope.id for task, _ in client.parts.storage.tasks.tasks()] == ["a1"]


def test_a_project_queues_and_lists_only_its_own_tasks(client: Client) -> None:
    path = "/v2/task/reprocesses"
    assert client.send("POST", path, {"scope_ids": ["b2"], **TIMES}, OWN).status == 400
    assert client.send("POST", path, {"scope_ids": "ALL", **TIMES}, {PROJECT: "b2"}).status == 202
    assert client.get_as("a1", path).body["results"] == []
    assert client.get_as("a1", f"{path}/b2").body["results"] == []
    assert len(client.get_as("b2", path).body["results"]) == 1
