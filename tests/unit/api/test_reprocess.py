"""``/v2/task/reprocesses``: queueing and listing tasks."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reprocessing.task import RepricedWindow, TaskKind
from tests.api_client import NOW, Client
from tests.contract import given

PATH = "/v2/task/reprocesses"
BODY: Mapping[str, Any] = {
    "scope_ids": ["a1"],
    "start_reprocess_time": "2026-03-01T00:00:00+00:00",
    "end_reprocess_time": "2026-03-01 02:00:00",
    "reason": " wrong  price ",
}


@pytest.fixture
def rated(client: Client) -> Client:
    """Return a client of an API over scopes: two rated for two hours, one never."""
    storage = client.parts.storage
    states = given.list_scopes(storage, "a1", "b2", "new")[:2]
    series = [given.build_series(name, [("1", "1"), ("1", "2")]) for name in ("a1", "b2")]
    storage.ledger.commit(given.batch(states, *series, periods=given.window(2)))
    return client


def post(client: Client, **changes: object) -> Any:
    return client.send("POST", PATH, {**BODY, **changes})


def listed(client: Client, path: str = PATH, **query: object) -> list[str]:
    response = client.get(path, **query)
    assert response.status == 200, response.text
    return [entry["scope_id"] for entry in response.body["results"]]


def test_a_task_is_queued(rated: Client) -> None:
    response = post(rated)
    assert (response.status, response.body) == (202, {})
    ((task, _),) = rated.parts.storage.tasks.tasks()
    assert (task.order.begin, task.order.end) == (given.START, given.hour(2))
    assert task.order.kind is TaskKind.COLLECT
    assert not task.order.accept_silence
    assert (task.note.reason, task.note.made_by) == ("wrong price", "noauth")
    assert task.note.made_at == NOW


def test_extra_keys_say_how(rated: Client) -> None:
    assert post(rated, kind="rates", accept_silence=True).status == 202
    ((task, _),) = rated.parts.storage.tasks.tasks()
    assert task.order.kind is TaskKind.RATES
    assert task.order.accept_silence


@pytest.mark.parametrize("word", ["ALL", ["ALL"]])
def test_all_means_every_scope_where_it_was_rated(rated: Client, word: object) -> None:
    assert post(rated, scope_ids=word, end_reprocess_time="2026-03-01T05:00:00").status == 202
    orders = [task.order for task, _ in rated.parts.storage.tasks.tasks()]
    assert [(order.scope.id, order.end) for order in orders] == [
        ("a1", given.hour(2)),
        ("b2", given.hour(2)),
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"scope_ids": ["a1", "x"]}, "no such scope: x"),
        ({"scope_ids": ["a1", "ALL"]}, "ALL and nothing else"),
        ({"scope_ids": []}, "ALL and nothing else"),
        ({"scope_ids": ["new"]}, "scope new has never been rated"),
        ({"start_reprocess_time": "2026-03-01T00:30:00"}, "no period of 1 h starts at"),
        ({"end_reprocess_time": "2026-03-01T03:00:00"}, "is rated only from"),
        ({"end_reprocess_time": "2026-03-01T00:00:00"}, "is not before end"),
        ({"start_reprocess_time": "2026-02-28"}, "is rated only from"),
        ({"reason": "  "}, "reason is required"),
        ({"kind": "all"}, "kind: "),
        ({"scope_id": "a1"}, "unknown argument 'scope_id'"),
        (
            {"scope_ids": "ALL", "start_reprocess_time": "2027-01-01",
             "end_reprocess_time": "2027-02-01"},
            "nothing to reprocess",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_carried_out_queues_nothing(
    rated: Client, changes: dict[str, object], text: str
) -> None:
    response = post(rated, **changes)
    assert response.status == 400
    assert text in response.body["message"]
    assert rated.parts.storage.tasks.tasks() == []


@pytest.mark.parametrize("key", BODY)
def test_no_argument_has_a_default(rated: Client, key: str) -> None:
    response = rated.send("POST", PATH, {name: BODY[name] for name in BODY if name != key})
    assert (response.status, response.body["message"]) == (400, f"{key}: missing")


def test_a_second_task_for_the_same_periods_is_refused(rated: Client) -> None:
    assert post(rated).status == 202
    response = post(rated, scope_ids="ALL")
    assert response.status == 400
    assert "is open for scope a1" in response.body["message"]
    assert listed(rated) == ["a1"]


def test_purged_periods_are_refused(rated: Client) -> None:
    rated.parts.storage.purge.start(given.hour(1), totals=False)
    response = post(rated)
    assert response.status == 400
    assert "were purged" in response.body["message"]


def test_tasks_are_listed_with_what_they_did(rated: Client) -> None:
    post(rated, kind="rates")
    storage = rated.parts.storage
    ((task, _),) = storage.tasks.tasks()
    repriced = RepricedWindow(
        given.window(1), {}, [given.build_series("a1", [("1", "0.25")])], 0, None
    )
    storage.task_ledger.swap(task, repriced, given.hour(3))
    assert rated.get(PATH).body["results"] == [
        {
            "scope_id": "a1",
            "reason": "wrong price",
            "start_reprocess_time": "2026-03-01T00:00:00",
            "end_reprocess_time": "2026-03-01T02:00:00",
            "current_reprocess_time": "2026-03-01T01:00:00",
            "id": task.id,
            "kind": "rates",
            "state": "queued",
            "made_by": "noauth",
            "last_error": None,
            "price": 1,
            "new_price": Decimal("0.25"),
        }
    ]


def test_tasks_are_filtered_ordered_and_paged(rated: Client) -> None:
    for scope in ("a1", "b2"):
        post(rated, scope_ids=[scope])
    storage = rated.parts.storage
    (first, _), _ = storage.tasks.tasks()
    storage.tasks.cancel(first.id, given.hour(3))
    post(rated, scope_ids=["a1"])
    assert listed(rated) == ["a1", "b2", "a1"]
    newest = rated.get(PATH, limit="1").body["results"]
    oldest = rated.get(PATH, limit="1", order="ASC").body["results"]
    assert (newest[0]["state"], newest[0]["current_reprocess_time"]) == ("queued", "")
    assert oldest[0]["state"] == "cancelled"
    assert listed(rated, offset="1", limit="100") == ["b2", "a1"]
    assert listed(rated, scope_ids=["b2", "x"]) == ["b2"]
    assert listed(rated, f"{PATH}/a1") == ["a1", "a1"]
    assert listed(rated, f"{PATH}/x") == []
    assert rated.get(PATH, order="up").status == 400
