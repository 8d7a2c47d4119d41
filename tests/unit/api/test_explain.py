"""``GET /v2/explain``: a frame's price, for its own tenant and for administrators."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from tests.api_client import Client
from tests.contract import given

PATH = "/v2/explain"
FLAVOR = RuleTarget("instance", "flavor_name")
FRAME = {"metric": "instance", "begin": "2026-03-01T00:20:00", "resource": "r1"}


@pytest.fixture
def charged(client: Client) -> Client:
    """Return a client of an API over two scopes with two servers each, priced by a rule."""
    storage = client.parts.storage
    rule = MappingRule(FLAVOR, "m1", Terms(Decimal("0.1"), CostType.FLAT, "uptime"))
    storage.rules.change(0, [], [rule], given.note())
    states = given.list_scopes(storage, "a1", "b2")
    usages = [
        given.build_series(
            scope, [("3", "0.3")], labels={"id": id_}, metadata={"flavor_name": "m1", "os": None}
        )
        for scope in ("a1", "b2")
        for id_ in ("r1", "r2")
    ]
    storage.ledger.commit(given.batch(states, *usages, rules=1))
    return client


def raise_price(client: Client) -> None:
    """Change the price of the rated period, as a retroactive change does."""
    store = client.parts.storage.rules
    [old] = store.read().rules
    terms = dataclasses.replace(old.terms, cost=Decimal("0.2"), start=given.START)
    note = ChangeNote(given.hour(5), "bob@host", "secret deal", retroactive=True)
    store.change(1, [(old, given.START)], [dataclasses.replace(old, terms=terms, id=None)], note)


def test_an_administrator_sees_how_a_price_was_calculated(charged: Client) -> None:
    response = charged.get(PATH, scope="a1", **FRAME)
    assert response.status == 200, response.text
    body = response.body
    breakdown = body.pop("breakdown")
    assert body == {
        "scope": "a1",
        "metric": "instance",
        "begin": "2026-03-01T00:00:00+00:00",
        "labels": {"flavor_name": "m1", "os": None, "project_id": "a1", "id": "r1"},
        "quantity": 3,
        "unit": "instance",
        "shared": None,
        "price": Decimal("0.3"),
        "rules": {"version": 1, "changed": None, "text": "version 1, the newest"},
        "today": {
            "version": 1, "price": Decimal("0.3"), "difference": 0, "text": "the same price",
        },
        "reprocessed": None,
        "reduction": None,
    }  # fmt: skip
    assert breakdown["modules"][0]["groups"][0]["price"] == Decimal("0.3")
    assert "  flat 0.1 * quantity 3 = 0.3" in breakdown["lines"]


@pytest.mark.parametrize("query", [{"labels": "id:r2"}, {"labels": ["id:r2", "flavor_name:m1"]}])
def test_a_frame_is_chosen_by_its_labels(charged: Client, query: dict[str, object]) -> None:
    place = {"scope": "a1", "metric": "instance", "begin": "2026-03-01"}
    response = charged.get(PATH, **place, **query, null_labels="os")
    assert response.body["labels"]["id"] == "r2"
    several = charged.get(PATH, **place)
    assert several.status == 400
    assert "2 frames of instance" in several.body["message"]
    assert charged.get(PATH, **place, labels=["id:r1", "id:r2"]).status == 400
    assert charged.get(PATH, **place, labels="id:r1", null_labels="id").status == 400


def test_a_frame_that_does_not_exist_is_not_found(charged: Client) -> None:
    for change in ({"metric": "cpu"}, {"begin": "2026-03-02"}, {"resource": "r3"}, {"scope": "x"}):
        assert charged.get(PATH, **{"scope": "a1", **FRAME, **change}).status == 404


def test_a_tenant_sees_only_his_own_frames(charged: Client) -> None:
    own = charged.get_as("a1", PATH, **FRAME)
    assert (own.status, own.body["scope"]) == (200, "a1")
    assert charged.get_as("a1", PATH, scope="a1", **FRAME).body == own.body
    assert charged.get_as("a1", PATH, scope="b2", **FRAME).status == 403
    assert charged.get_as("", PATH, **FRAME).status == 403
    assert charged.get_as("", PATH, scope="b2", **FRAME).status == 403
    assert charged.get_as("c3", PATH, **FRAME).status == 404
    # Without a project, an administrator names one.
    assert charged.get(PATH, **FRAME).status == 400


def test_a_tenant_does_not_see_who_changed_the_rules_or_why(charged: Client) -> None:
    raise_price(charged)
    admin = charged.get(PATH, scope="a1", **FRAME)
    assert admin.body["rules"]["changed"]["by"] == "bob@host"
    assert "reprocess" in admin.body["today"]["text"]
    tenant = charged.get_as("a1", PATH, **FRAME)
    assert tenant.body["rules"] == {
        "version": 1,
        "changed": {"at": "2026-03-01T05:00:00Z"},
        "text": "version 1, before they were changed at 2026-03-01T05:00:00Z",
    }
    assert tenant.body["today"]["price"] == Decimal("0.6")
    for word in ("bob", "secret", "reprocess "):
        assert word not in tenant.text


def test_only_an_administrator_asks_the_metering_back_end(charged: Client) -> None:
    assert charged.get_as("a1", PATH, trace="true", **FRAME).status == 403
    response = charged.get(PATH, scope="a1", trace="true", **FRAME)
    # There is none here: all else about the frame is told.
    assert response.status == 200
    assert response.body["reduction"]["unavailable"]
    assert response.body["price"] == Decimal("0.3")
