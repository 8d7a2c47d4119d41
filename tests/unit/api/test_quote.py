"""``POST /v1/rating/quote``: both shapes that clients send, and whose rules apply."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from tests.api_client import PROJECT, Client, Response
from tests.contract import given

PATH = "/v1/rating/quote"
FLAVOR = RuleTarget("instance", "flavor_name")
LONG = "0.1234567890123456789012345678"


def flat(cost: str, scope: str | None = None) -> Terms:
    return Terms(Decimal(cost), CostType.FLAT, scope=scope)


@pytest.fixture
def priced(client: Client) -> Client:
    """Return a client of an API with rules for all, for one project, and by the calendar."""
    rules: list[Rule] = [
        MappingRule(FLAVOR, "m1.tiny", flat(LONG)),
        MappingRule(FLAVOR, "m1.tiny", flat("0.5", "p1")),
        MappingRule(RuleTarget("instance", "vcpus"), "2", flat("0.25")),
        MappingRule(RuleTarget("instance", "ratio"), "2.5", flat("0.75")),
        MappingRule(RuleTarget("instance", "image"), None, flat("7")),
        MappingRule(RuleTarget("instance", "windows"), "True", flat("9")),
        ThresholdRule(RuleTarget("volume"), Decimal(10), flat("1")),
        MappingRule(RuleTarget("monthly", "month"), "3", flat("3")),
        MappingRule(RuleTarget("owned", "project_id"), "p2", flat("1000")),
    ]
    client.parts.storage.rules.change(0, [], rules, given.note())
    return client


def post(
    client: Client, *resources: dict[str, Any], project: str | None = None, **keys: object
) -> Response:
    headers = None if project is None else {PROJECT: project}
    return client.send("POST", PATH, {"resources": resources, **keys}, headers)


def usage(service: str = "instance", volume: object = 1, **desc: object) -> dict[str, Any]:
    return {"service": service, "volume": volume, "desc": desc}


@pytest.mark.parametrize(
    ("desc", "price"),
    [
        ({"flavor_name": "m1.tiny"}, LONG),
        ({"metadata": {"flavor_name": "m1.tiny"}}, LONG),
        (
            {"metadata": {"flavor_name": "m1.tiny"}, "vcpus": 2},
            "0.25",
        ),  # the larger of both flat costs
        ({"vcpus": "2"}, "0.25"),
        ({"vcpus": 2}, "0.25"),
        ({"ratio": 2.50}, "0.75"),
        ({"image": None}, "7"),
        ({"image": "None"}, "7"),
        ({"windows": True}, "9"),
        ({"metadata": "text", "vcpus": 2}, "0.25"),
        ({"flavor_name": "m1.huge"}, "0"),
    ],
)
def test_labels_may_be_nested_and_may_be_numbers(
    priced: Client, desc: dict[str, Any], price: str
) -> None:
    response = post(priced, usage(**desc))
    assert response.status == 200, response.text
    assert response.text == price


def test_the_total_is_a_number_with_all_digits(priced: Client) -> None:
    response = post(
        priced, usage(flavor_name="m1.tiny", volume="3"), usage("volume", 12.5), usage("volume", 1)
    )
    assert response.headers["content-type"] == "application/json"
    total = json.loads(response.text, parse_float=Decimal)
    assert total == Decimal("1.3703703670370370367037037034")


def test_labels_of_the_period_count(priced: Client) -> None:
    assert post(priced, usage("monthly")).text == "3"


def test_nothing_costs_nothing(priced: Client) -> None:
    assert post(priced).text == "0"


def test_the_callers_own_rules_apply(priced: Client) -> None:
    tiny = usage(flavor_name="m1.tiny")
    assert post(priced, tiny, project="p1").text == "0.5"
    assert post(priced, tiny, project="p2").text == LONG
    assert post(priced, tiny, project="").text == LONG
    assert post(priced, usage("owned"), project="p2").text == "1000"


def test_only_an_administrator_asks_for_another_project(priced: Client) -> None:
    tiny = usage(flavor_name="m1.tiny")
    assert post(priced, tiny, tenant_id="p1").text == "0.5"
    assert post(priced, tiny, project="p1", tenant_id="p1").text == "0.5"
    assert post(priced, tiny, project="p2", tenant_id="p1").status == 403
    assert post(priced, tiny, project="", tenant_id="p1").status == 403
    # A label is no way around it.
    response = post(priced, usage("owned", project_id="p2"), project="p1")
    assert response.status == 400
    assert "project_id: expected p1" in response.body["faultstring"]


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (usage("instanc"), "(did you mean 'instance'?)"),
        (usage(volume="much"), "resources.0.volume: expected a number"),
        (usage(volume="1e-19"), "resources.0.volume: expected a decimal number"),
        (usage(volume=-1), "resources.0.volume: expected a decimal number"),
        (usage(volume=True), "volume"),
        (usage(volume={"a": 1}), "volume"),
        (usage(flavor={"a": 1}), "flavor: expected text"),
        ({"service": "instance", "desc": [1]}, "desc"),
        ({"service": "instance", "quantity": 1}, "resources.0.quantity"),
        ({"volume": 1}, "resources.0.service: missing"),
    ],
)
def test_a_wrong_usage_is_refused(priced: Client, resource: dict[str, Any], text: str) -> None:
    response = post(priced, resource)
    assert response.status == 400
    assert text in response.body["faultstring"]


DETAILS = "/v2/rating/quote"


def test_a_quote_with_its_calculation_is_for_any_period(priced: Client) -> None:
    body = {
        "service": "monthly", "quantity": "6", "share": "1/3", "labels": {"a": 2, "b": None},
        "at": "2026-03-31T23:59:59",
    }  # fmt: skip
    response = priced.send("POST", DETAILS, body)
    assert response.status == 200, response.text
    breakdown = response.body.pop("breakdown")
    assert response.body == {
        "service": "monthly",
        "quantity": 2,
        "shared": {"whole": 6, "share": Decimal("0.333333333333333333")},
        "labels": {"a": "2", "b": None},
        "scope": None,
        "begin": "2026-03-31T23:00:00+00:00",
        "end": "2026-04-01T00:00:00+00:00",
        "price": 6,
        "hour": 6,
        "day": 144,
        "month": 4320,
    }
    assert "  flat 3 * quantity 2 = 6" in breakdown["lines"]
    april = priced.send("POST", DETAILS, {**body, "at": "2026-04-01"})
    assert april.body["price"] == 0


def test_a_quote_with_its_calculation_is_for_the_callers_own_project(priced: Client) -> None:
    body = {"service": "instance", "labels": {"flavor_name": "m1.tiny"}}
    own = priced.send("POST", DETAILS, body, {PROJECT: "p1"})
    assert (own.body["scope"], own.body["price"]) == ("p1", Decimal("0.5"))
    assert priced.send("POST", DETAILS, {**body, "scope": "p1"}).body["price"] == Decimal("0.5")
    assert priced.send("POST", DETAILS, {**body, "scope": "p1"}, {PROJECT: "p2"}).status == 403
    # Rules of others are no part of the calculation.
    other = priced.send("POST", DETAILS, body, {PROJECT: "p2"})
    assert "p1" not in other.text
    for change in ({"share": "2"}, {"service": "x"}, {"quantity": -1}, {"labels": [1]}):
        assert priced.send("POST", DETAILS, {**body, **change}).status == 400


def test_so_many_usages_or_labels_are_refused(priced: Client) -> None:
    tiny = usage(flavor_name="m1.tiny")
    assert post(priced, *[tiny] * 1000).text == "123.4567890123456789012345678"
    response = post(priced, *[tiny] * 1001)
    assert response.status == 400
    assert response.body["faultstring"] == "resources: expected at most 1,000 usages, not 1,001"
    labels = {f"l{number}": "x" for number in range(101)}
    for desc in (labels, {"metadata": labels}):
        response = post(priced, usage(**desc))
        assert response.status == 400
        assert response.body["faultstring"] == "expected at most 100 labels, not 101"
    response = priced.send("POST", "/v2/rating/quote", {"service": "instance", "labels": labels})
    assert response.status == 400
    del labels["l100"]
    assert post(priced, usage(**labels)).text == "0"


@pytest.fixture(params=["/v1/rating/quote", "/v2/rating/quote"])
def quoted(request: pytest.FixtureRequest, priced: Client) -> Callable[..., Response]:
    """Return a function that asks for the price of a usage, by either version."""

    def ask(service: str, project: str | None, **labels: str) -> Response:
        body: dict[str, Any] = {"service": service, "labels": labels}
        if request.param == PATH:
            body = {"resources": [usage(service, **labels)]}
        headers = None if project is None else {PROJECT: project}
        return priced.send("POST", request.param, body, headers)

    return ask


def test_a_token_without_project_sees_the_prices_of_none(
    quoted: Callable[..., Response],
) -> None:
    response = quoted("owned", "", project_id="p2")
    assert response.status == 400
    assert "project_id: leave it out, because the token is for no project" in response.text
    assert "1000" in quoted("owned", None, project_id="p2").text


def test_no_name_in_rules_of_others_or_of_the_past_is_told(
    priced: Client, quoted: Callable[..., Response]
) -> None:
    past = Terms(Decimal(1), CostType.FLAT, end=given.hour(1))
    rules: list[Rule] = [
        MappingRule(RuleTarget("secret"), None, flat("1", "p1")),
        MappingRule(RuleTarget("retired"), None, past),
    ]
    priced.parts.storage.rules.change(1, [], rules, given.note())
    for project in ("p2", ""):
        for word in ("secre", "retire", "zzz"):
            response = quoted(word, project)
            assert response.status == 400
            assert f"neither metrics.yml nor any rule in force has '{word}'" in response.text
            assert "secret" not in response.text
            assert "retired" not in response.text
        # Neither whether such a rule exists.
        assert quoted("secret", project).status == quoted("retired", project).status == 400
    assert "did you mean 'secret'" in quoted("secre", "p1").text
    assert quoted("secret", "p1").status == 200
    assert "known metrics: " in quoted("zzz", None).text
