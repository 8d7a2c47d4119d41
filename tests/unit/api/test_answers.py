"""Answers have the types that the OpenAPI document gives them."""

from __future__ import annotations

import pathlib

import jsonschema
import pytest

from ratekit.api.operation import JSON, Operation
from ratekit.api.routes import OPERATIONS
from tests.api_client import Client
from tests.contract.given import batch, build_series, list_scopes, window


def _needs_arguments(operation: Operation) -> bool:
    fields = operation.arguments.model_fields.values()
    return "{" in operation.path or any(field.is_required() for field in fields)


PATHS = sorted(
    entry.path
    for entry in OPERATIONS
    if entry.verb == "GET"
    and entry.answer is not None
    and JSON in entry.media
    and not _needs_arguments(entry)
)
SUMMARIES = [
    f"/v2/summary?response_format={form}&groupby={groupby}"
    for form in ("table", "object")
    for groupby in ("type", "time", "time-d,flavor", "project_id,id")
]


@pytest.fixture
def usage(client: Client, tmp_path: pathlib.Path) -> Client:
    """Some usage, with labels that are null and prices of many digits."""
    metrics = tmp_path / "metrics.yml"
    metrics.write_text(
        "metrics: {instance: {unit: i, extra_args: {aggregation_method: max, resource_type: x}}}",
        encoding="utf-8",
    )
    client.conf.set_override("metrics_conf", str(metrics), "collect")
    storage = client.parts.storage
    tiny = "0.0000000000000000000000000001"
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a1"),
            build_series("a1", [("1.5", "0.1"), ("1", tiny)], metadata={"flavor": None}),
            build_series("a1", [("40", "-12345678901234567890")], metric="volume", unit="GiB"),
            periods=window(2),
        )
    )
    return client


@pytest.mark.parametrize("address", [*PATHS, *SUMMARIES])
def test_answers_fit_their_description(usage: Client, address: str) -> None:
    document = usage.get("/openapi.json").body
    response = usage.get(address)
    assert response.status == 200
    described = document["paths"][address.partition("?")[0]]["get"]["responses"]
    schema = described[str(response.status)]["content"]["application/json"]["schema"]
    jsonschema.validate(response.body, {**schema, "components": document["components"]})


def test_a_bill_may_be_csv(client: Client) -> None:
    answers = client.get("/openapi.json").body["paths"]["/v2/summary"]["get"]["responses"]
    assert set(answers["200"]["content"]) == {"application/json", "text/csv"}
