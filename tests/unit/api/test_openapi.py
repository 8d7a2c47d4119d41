"""The OpenAPI document describes what the API does."""

from __future__ import annotations

import inspect

import jsonschema
import pytest

from ratekit.api.operation import Operation
from ratekit.api.routes import OPERATIONS
from tests.api_client import Client

_METASCHEMA = jsonschema.Draft202012Validator


def test_the_document_has_every_operation(client: Client) -> None:
    document = client.get("/openapi.json").body
    described = {
        (verb.upper(), path) for path, entry in document["paths"].items() for verb in entry
    }
    assert described == {(operation.verb, operation.path) for operation in OPERATIONS}
    ids = [verb["operationId"] for entry in document["paths"].values() for verb in entry.values()]
    assert len(ids) == len(set(ids))


def test_the_schemas_are_schemas(client: Client) -> None:
    document = client.get("/openapi.json").body
    for entry in document["paths"].values():
        for operation in entry.values():
            for parameter in operation.get("parameters", ()):
                _METASCHEMA.check_schema(parameter["schema"])
                assert (parameter["in"] == "path") <= parameter["required"]
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    _METASCHEMA.check_schema(content["schema"])
    for schema in document["components"]["schemas"].values():
        _METASCHEMA.check_schema(schema)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_says_what_it_does(operation: Operation) -> None:
    text = inspect.getdoc(operation.handler) or ""
    assert text.partition("\n")[0].endswith(".")
