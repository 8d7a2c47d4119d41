"""The audit log has each change that was made, whatever happens to the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from ratekit import errors
from ratekit.storage.db.errors import CommitUnconfirmed
from ratekit.storage.reports.reports import SqlReports
from ratekit.storage.rules.store import SqlRules
from tests.api_client import Client
from tests.contract import given

PREFIX = "/v1/rating/module_config/hashmap"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ratekit.audit")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Returns the lines of the audit log so far."""
    return lambda: [
        record.getMessage() for record in caplog.records if record.name == "ratekit.audit"
    ]


def fail(error: Exception) -> Callable[..., Any]:
    def raise_error(*_: object, **__: object) -> Any:
        raise error

    return raise_error


def create_mapping(client: Client) -> dict[str, Any]:
    service = client.send("POST", f"{PREFIX}/services", {"name": "instance"}).body["service_id"]
    body = {"service_id": service, "cost": "1", "type": "flat"}
    mapping: dict[str, Any] = client.send("POST", f"{PREFIX}/mappings", body).body
    return mapping


def mapping_id(mapping: dict[str, Any]) -> dict[str, Any]:
    return {"mapping_id": mapping["mapping_id"]}


def test_warnings_that_cannot_be_computed_fail_no_change(
    client: Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(SqlReports, "labels", fail(errors.TooSlow(30)))
    response = client.send("POST", f"{PREFIX}/services", {"name": "teleport"})
    assert response.status == 201
    assert "not checked" in response.headers["x-ratekit-warning"]
    body = {"service_id": response.body["service_id"], "cost": "1", "type": "flat"}
    response = client.send("POST", f"{PREFIX}/mappings", body)
    assert response.status == 201
    assert "not checked" in response.headers["x-ratekit-warning"]
    assert [line.split()[0] for line in lines()] == [
        "v1.hashmap.service.create_service",
        "v1.hashmap.mapping.create_mapping",
    ]


def test_a_change_that_cannot_be_shown_is_logged_and_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    change = SqlRules.change

    def change_and_go_away(*arguments: Any, **options: Any) -> int:
        version = change(*arguments, **options)
        monkeypatch.setattr(SqlRules, "catalog", fail(errors.TryLater("no answer")))
        return version

    monkeypatch.setattr(SqlRules, "change", change_and_go_away)
    response = client.send("POST", f"{PREFIX}/services", {"name": "instance"})
    assert response.status == 503
    assert "the change was made" in response.body["faultstring"]
    [line] = lines()
    assert "name='instance': version 1 of the price rules" in line


def test_what_answers_without_a_body_reads_nothing_after_its_change(
    client: Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    mapping = create_mapping(client)
    change, catalog = SqlRules.change, SqlRules.catalog

    def change_and_go_away(*arguments: Any, **options: Any) -> int:
        version = change(*arguments, **options)
        monkeypatch.setattr(SqlRules, "catalog", fail(errors.TryLater("no answer")))
        return version

    monkeypatch.setattr(SqlRules, "change", change_and_go_away)
    body = {"cost": 0.25, **mapping_id(mapping)}
    assert client.send("PUT", f"{PREFIX}/mappings", body).status == 302
    monkeypatch.setattr(SqlRules, "catalog", catalog)
    assert (
        client.send("DELETE", f"{PREFIX}/mappings", {"mapping_id": mapping["mapping_id"]}).status
        == 204
    )
    assert [line.split(": ")[-1].split(",")[0] for line in lines()] == [
        f"version {number} of the price rules" for number in (1, 2, 3, 4)
    ]
    assert f"cost=0.25 mapping_id='{mapping['mapping_id']}'" in lines()[2]


def test_a_commit_without_a_reply_is_logged_as_unknown(
    client: Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(SqlRules, "change", fail(CommitUnconfirmed("the database")))
    response = client.send("POST", f"{PREFIX}/services", {"name": "instance"})
    assert response.status == 503
    assert "did not confirm" in response.body["faultstring"]
    [line] = lines()
    assert "outcome unknown" in line


def test_what_is_refused_has_no_line(client: Client, lines: Callable[[], list[str]]) -> None:
    assert client.send("DELETE", f"{PREFIX}/services", {"service_id": "x"}).status == 404
    assert lines() == []


def test_the_line_says_which_scope_became_what(
    client: Client, lines: Callable[[], list[str]]
) -> None:
    given.list_scopes(client.parts.storage, "a1")
    body = {"scope_id": "a1", "active": False, "scope_key": "project_id"}
    assert client.send("PATCH", "/v2/scope", body).status == 200
    assert "PATCH /v2/scope active=False scope_id='a1': done, request req-" in lines()[-1]
    assert "scope_key" not in lines()[-1]


def test_values_are_short_and_clean(client: Client, lines: Callable[[], list[str]]) -> None:
    mapping = create_mapping(client)
    body = {"cost": 2, "name": "x\ny" + "z" * 300, "description": "d", **mapping_id(mapping)}
    assert client.send("PUT", f"{PREFIX}/mappings", body).status == 302
    line = lines()[-1]
    assert "\n" not in line
    assert "name='x\\ny" in line
    assert "z" * 100 not in line
    assert "description" not in line
