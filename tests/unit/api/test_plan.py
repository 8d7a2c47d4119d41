"""``POST /v2/rating/plan``: what a rule file would change; it changes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from tests.api_client import PROJECT, Client
from tests.contract import given

PATH = "/v2/rating/plan"
TEXT = """services:
  instance:
    mappings:
      - {cost: 0.30, type: flat}
"""
RULES: Any = {"services": {"instance": {"mappings": [{"cost": 0.30, "type": "flat"}]}}}


@pytest.fixture
def charged(client: Client) -> Client:
    """Return a client of an API over a scope that paid 0.1 for each of three units."""
    storage = client.parts.storage
    rule = MappingRule(RuleTarget("instance"), None, Terms(Decimal("0.1"), CostType.FLAT))
    storage.rules.change(0, [], [rule], given.note())
    states = given.list_scopes(storage, "a1")
    storage.ledger.commit(given.batch(states, given.build_series("a1", [("3", "0.3")]), rules=1))
    return client


@pytest.mark.parametrize("rules", [TEXT, RULES])
def test_it_tells_what_would_change_and_changes_nothing(charged: Client, rules: object) -> None:
    response = charged.send("POST", PATH, {"rules": rules, "since": "2026-03-01"})
    assert response.status == 200, response.text
    assert response.body["from"] == "2026-03-15T13:00:00Z"
    assert response.body["changes"] == [
        {"change": "close", "rule": "instance flat 0.1 until 2026-03-15T13:00:00Z"},
        {"change": "add", "rule": "instance flat 0.3 from 2026-03-15T13:00:00Z"},
    ]
    assert response.body["what_if"] == [
        {
            "scope": "a1",
            "metric": "instance",
            "frames": 1,
            "price": Decimal("0.3"),
            "new_price": Decimal("0.9"),
            "difference": Decimal("0.6"),
        }
    ]
    assert response.body["lines"][0] == "prices change from 2026-03-15T13:00:00Z:"
    assert charged.parts.storage.rules.read().version == 1


def test_the_rules_in_force_change_nothing(charged: Client) -> None:
    response = charged.send("POST", PATH, {"rules": TEXT.replace("0.30", "0.1")})
    assert (response.body["changes"], response.body["from"], response.body["kept"]) == ([], None, 1)
    assert response.body["what_if"] is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rules": ""}, "rules: expected an object or the text"),
        ({"rules": {}}, "rules: expected an object or the text"),
        ({"rules": 5}, "rules"),
        ({"rules": "services: [1"}, "rules:1: is not YAML"),
        (
            {"rules": TEXT + "      - {cost: x, type: flat}\n"},
            "rules:5: services.instance.mappings[1].cost:",
        ),
        ({"rules": TEXT.replace("instance", "instanc")}, "instanc"),
        ({"rules": "services: {}"}, "instance has been rated, but would cost nothing"),
        ({"since": "2026-03-01T00:30:00"}, "no period of 1 h starts at"),
        ({"at": "2026-03-01"}, "may affect rated periods"),
        ({"rule": TEXT}, "unknown argument 'rule'"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    charged: Client, changes: dict[str, object], text: str
) -> None:
    response = charged.send("POST", PATH, {"rules": TEXT, **changes})
    assert response.status in {400, 409}, response.text
    assert text in response.body["message"]


def test_the_refusals_of_the_command_have_the_same_keys(charged: Client) -> None:
    for body in (
        {"rules": TEXT, "at": "2026-03-01", "retroactive": True},
        {"rules": "services: {}", "allow_free": True},
        {
            "rules": TEXT + "  other:\n    mappings: [{cost: 1, type: flat}]\n",
            "allow_unknown": "true",
        },
        {"rules": TEXT, "bring_forward": True},
    ):
        assert charged.send("POST", PATH, body).status == 200


def test_a_retroactive_plan_counts_what_was_charged(charged: Client) -> None:
    body = {"rules": TEXT, "at": "2026-03-01", "retroactive": True}
    response = charged.send("POST", PATH, body)
    assert response.body["retroactive"] is True
    assert response.body["charged"]["frames"] == 1


def test_it_is_for_administrators(charged: Client) -> None:
    assert charged.send("POST", PATH, {"rules": TEXT}, {PROJECT: "a1"}).status == 403
