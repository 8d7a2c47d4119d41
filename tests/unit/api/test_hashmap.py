"""Price rules over the API: paths, codes and answers."""

from __future__ import annotations

import pytest

from ratekit.api.routes import OPERATIONS
from tests.api_client import Client, Response

PREFIX = "/v1/rating/module_config/hashmap"
NOBODY = "00000000-0000-0000-0000-000000000000"


def create(client: Client, path: str, **body: object) -> Response:
    response = client.send("POST", f"{PREFIX}/{path}", body)
    assert response.status == 201, response.text
    return response


@pytest.fixture
def service(client: Client) -> str:
    return str(create(client, "services", name="instance").body["service_id"])


@pytest.fixture
def field(client: Client, service: str) -> str:
    body = create(client, "fields", service_id=service, name="flavor_id").body
    return str(body["field_id"])


def test_types(client: Client) -> None:
    assert sorted(client.get(f"{PREFIX}/types").body) == ["flat", "rate"]


def test_a_service_is_created_found_and_deleted(client: Client) -> None:
    response = create(client, "services", name="instance")
    service = response.body
    assert response.headers["location"].endswith(f"{PREFIX}/services/{service['service_id']}")
    assert client.get(f"{PREFIX}/services").body == {"services": [service]}
    assert client.get(f"{PREFIX}/services/{service['service_id']}").body == service
    again = client.send("POST", f"{PREFIX}/services", {"name": "instance"})
    assert (again.status, service["service_id"] in again.body["faultstring"]) == (409, True)
    # CloudKitty's client sends the id in the body.
    response = client.send("DELETE", f"{PREFIX}/services/", {"service_id": service["service_id"]})
    assert (response.status, response.text) == (204, "")
    assert client.get(f"{PREFIX}/services").body == {"services": []}


@pytest.mark.parametrize("noun", ["service", "field", "group", "mapping", "threshold"])
@pytest.mark.parametrize("text", [NOBODY, "instance", "'; --", "é"])
def test_an_id_that_nothing_has_is_not_found(client: Client, noun: str, text: str) -> None:
    path = f"{PREFIX}/{noun}s"
    assert client.get(f"{path}/{text}").status == 404
    assert client.send("DELETE", path, {f"{noun}_id": text}).status == 404
    if noun in {"mapping", "threshold"}:
        body = {f"{noun}_id": text, "cost": "1"}
        assert client.send("PUT", path, body).status == 404


@pytest.mark.parametrize("text", [NOBODY, "instance"])
def test_lists_of_unknown_parents_are_empty(client: Client, text: str) -> None:
    assert client.get(f"{PREFIX}/fields", service_id=text).body == {"fields": []}
    for noun in ("mappings", "thresholds"):
        for parent in ("service_id", "field_id", "group_id"):
            assert client.get(f"{PREFIX}/{noun}", **{parent: text}).body == {noun: []}
        assert client.get(f"{PREFIX}/groups/{noun}", group_id=text).body == {noun: []}
        assert client.get(f"{PREFIX}/{noun}").body == {noun: []}


def test_a_mapping_keeps_all_digits_and_its_id(client: Client, field: str) -> None:
    cost = "0.1234567890123456789012345678"
    body = create(client, "mappings", field_id=field, value="m1", cost=cost, type="flat").body
    assert (body["cost"], body["value"], body["service_id"]) == (cost, "m1", None)
    # The client sends the whole object back.
    change = {**body, "cost": 0.25}
    response = client.send("PUT", f"{PREFIX}/mappings/", change)
    assert response.status == 302
    assert "location" not in response.headers
    [mapping] = client.get(f"{PREFIX}/mappings", field_id=field).body["mappings"]
    assert (mapping["mapping_id"], mapping["cost"]) == (body["mapping_id"], "0.25")
    assert mapping["updated_by"] is not None
    assert client.send("PUT", f"{PREFIX}/mappings/", mapping).status == 302
    path = f"{PREFIX}/mappings/{body['mapping_id']}"
    assert client.send("DELETE", path).status == 204
    assert client.get(f"{PREFIX}/mappings", field_id=field).body == {"mappings": []}
    assert client.get(path).body["deleted"] is not None


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("3000-01-01", "3000-01-01T23:59:59"),
        ("3000-01-01 10:00:00", "3000-01-01T10:00:00"),
        ("3000-01-01T10:00:00+02:00", "3000-01-01T08:00:00"),
    ],
)
def test_the_end_of_a_mapping(client: Client, field: str, end: str, shown: str) -> None:
    body = create(client, "mappings", field_id=field, value="a", cost="1", end=end).body
    assert body["end"] == shown


def test_a_null_value_is_null_both_ways(client: Client, field: str) -> None:
    body = create(client, "mappings", field_id=field, value=None, cost="1").body
    assert body["value"] is None
    assert client.get(f"{PREFIX}/mappings/{body['mapping_id']}").body["value"] is None


def test_a_threshold_and_its_group(client: Client, service: str) -> None:
    group = create(client, "groups", name="discount").body
    body = create(
        client, "thresholds", service_id=service, level="10", cost="0.9", type="rate",
        group_id=group["group_id"],
    ).body  # fmt: skip
    assert (body["level"], body["cost"], body["type"]) == ("10", "0.9", "rate")
    path = f"{PREFIX}/thresholds"
    assert client.get(f"{path}/group", threshold_id=body["threshold_id"]).body == group
    listed = client.get(f"{PREFIX}/groups/thresholds", group_id=group["group_id"]).body
    assert listed == {"thresholds": [body]}
    response = client.send("DELETE", f"{PREFIX}/groups", {"group_id": group["group_id"]})
    assert response.status == 204
    [ungrouped] = client.get(path, service_id=service).body["thresholds"]
    assert (ungrouped["threshold_id"], ungrouped["group_id"]) == (body["threshold_id"], None)


def test_an_unknown_service_is_taken_with_a_warning(client: Client) -> None:
    response = create(client, "services", name="teleport")
    assert "teleport" in response.headers["x-ratekit-warning"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"cost": "1"}, 400),
        ({"cost": "x", "value": "a"}, 400),
        ({"cost": "1", "value": "a", "type": "other"}, 400),
        ({"cost": "1", "value": "a", "start": "tomorrow"}, 400),
        ({"cost": "1", "value": "a", "service_id": "other"}, 400),
        ({"cost": "1", "value": "a", "colour": "red"}, 400),
        ({"cost": "1e99", "value": "a"}, 400),
        ({"value": "a"}, 400),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(
    client: Client, field: str, body: dict[str, str], status: int
) -> None:
    response = client.send("POST", f"{PREFIX}/mappings", {"field_id": field, **body})
    assert response.status == status
    assert response.body["faultstring"]
    assert "\n" not in response.body["faultstring"]
    assert client.get(f"{PREFIX}/mappings", field_id=field).body == {"mappings": []}


def test_answers_are_as_documented(client: Client, service: str, field: str) -> None:
    group = create(client, "groups", name="g").body["group_id"]
    create(client, "mappings", field_id=field, value="a", cost="1", group_id=group)
    create(client, "thresholds", service_id=service, level=1, cost=2, group_id=group)
    queries = {"fields": {"service_id": service}, "groups/mappings": {"group_id": group}}
    operations = {(operation.verb, operation.path): operation for operation in OPERATIONS}
    for noun in ("services", "fields", "groups", "mappings", "thresholds", "groups/mappings"):
        operation = operations["GET", f"{PREFIX}/{noun}"]
        body = client.get(operation.path, **queries.get(noun, {})).body
        shown = operation.answer.model_validate(body)
        assert len(getattr(shown, noun.rpartition("/")[2])) == 1
