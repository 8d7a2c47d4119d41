"""The OpenAPI document, from the operations and the models of their arguments and answers."""

from __future__ import annotations

import collections
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

import ratekit
from ratekit.api.operation import JSON, Operation

_SCHEMAS = "#/components/schemas/{model}"
_VARIABLE = re.compile(r"{(\w+)}")
_FIELD = re.compile(r":ivar (\w+): (.*?)(?=\n\s*:|\n\s*\n|\Z)", re.DOTALL)
_TOKEN = "keystone"
#: Verbs whose arguments are in the query; those of others are in a JSON body.
_QUERY_VERBS = frozenset({"GET", "HEAD"})
_FAULTS: Mapping[str, tuple[str, str]] = {
    "400": ("BadRequest", "An argument is unknown, missing or wrong."),
    "401": ("Unauthorized", "There is no valid token."),
    "403": ("Forbidden", "A policy does not allow it."),
    "404": ("NotFound", "There is no such thing."),
    "409": ("Conflict", "It contradicts what is stored."),
    "413": ("TooLarge", "The body is too large."),
    "429": ("TooManyRequests", "The project has sent too many requests."),
    "503": ("Unavailable", "The database does not answer; try again later."),
}
#: Only of operations that name them.
_RARE_FAULTS = {501: ("NotImplemented", "CloudKitty does it; ratekit does not.")}


def build(operations: Iterable[Operation]) -> Mapping[str, Any]:
    """Return the document, an OpenAPI 3.1 description as a JSON value."""
    schemas: dict[str, Any] = {
        "FaultV1": _object(faultcode="string", faultstring="string", debuginfo="null"),
        "FaultV2": _object(message="string"),
    }
    paths: dict[str, dict[str, Any]] = {}
    counts: collections.Counter[str] = collections.Counter()
    for operation in operations:
        counts[operation.name] += 1
        entry = _describe(operation, schemas)
        # Some operations have several paths.
        if counts[operation.name] > 1:
            entry["operationId"] += f".{counts[operation.name]}"
        paths.setdefault(operation.path, {})[operation.verb.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "ratekit", "version": ratekit.__version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {_TOKEN: {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(operation.handler.__doc__ or "").partition("\n")
    entry: dict[str, Any] = {"operationId": operation.name, "summary": summary}
    if rest.strip():
        entry["description"] = rest.strip()
    entry |= _describe_arguments(operation, schemas)
    entry["responses"] = _describe_answers(operation, schemas)
    entry["security"] = [] if operation.rule is None else [{_TOKEN: []}]
    return entry


def _describe_arguments(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters and, for what is in neither path nor query, the body."""
    schema = _collect(pydantic.TypeAdapter(operation.arguments), schemas, "validation")
    models = reversed(operation.arguments.__mro__)
    texts = {name: text for model in models for name, text in _FIELD.findall(model.__doc__ or "")}
    in_path = _VARIABLE.findall(operation.path)
    required = {*schema.get("required", ()), *in_path}
    fields = {
        name: {**field, **_description(texts.get(name))}
        for name, field in schema.get("properties", {}).items()
    }
    parameters = [_parameter(name, "path", fields.pop(name, {}), True) for name in in_path]
    if operation.verb in _QUERY_VERBS:
        parameters += [
            _parameter(name, "query", field, name in required) for name, field in fields.items()
        ]
        return {"parameters": parameters} if parameters else {}
    body: dict[str, Any] = {"type": "object", "properties": fields, "additionalProperties": False}
    needed = sorted(required & fields.keys())
    if needed:
        body["required"] = needed
    described: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if fields:
        content = {JSON: {"schema": body}}
        described["requestBody"] = {"required": bool(needed), "content": content}
    return described


def _parameter(name: str, place: str, field: Mapping[str, Any], required: bool) -> dict[str, Any]:
    entry = {"name": name, "in": place, "required": required, "schema": _without_null(field)}
    if "description" in field:
        entry["description"] = field["description"]
    return entry


def _without_null(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an argument that is left out where it has no value."""
    schema = {
        key: value
        for key, value in field.items()
        if key not in {"description", "title"} and not (key == "default" and not value)
    }
    options = [option for option in schema.pop("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        return {**options[0], **schema}
    return {**schema, "anyOf": options} if options else schema


def _describe_answers(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        schema = _collect(pydantic.TypeAdapter(operation.answer), schemas, "serialization")
        answer["content"] = {
            media: {"schema": schema if media == JSON else {"type": "string"}}
            for media in operation.media
        }
    fault = "FaultV1" if operation.path.startswith("/v1") else "FaultV2"
    content = {JSON: {"schema": {"$ref": _SCHEMAS.format(model=fault)}}}
    faults = _FAULTS if operation.rule is not None else {"400": _FAULTS["400"]}
    rare_faults = {str(status): _RARE_FAULTS[status] for status in operation.faults}
    return {
        str(operation.status): answer,
        **{
            status: {"description": text, "content": content}
            for status, (_, text) in {**faults, **rare_faults}.items()
        },
    }


def _collect(adapter: pydantic.TypeAdapter[Any], schemas: dict[str, Any], mode: Any) -> Any:
    """Return a type's schema; what it refers to is added to the document's."""
    schema = adapter.json_schema(ref_template=_SCHEMAS, mode=mode, by_alias=True)
    for name, definition in schema.pop("$defs", {}).items():
        assert schemas.setdefault(name, definition) == definition, f"two models are called {name}"
    return schema


def _object(**types: str) -> dict[str, Any]:
    properties = {name: {"type": type_} for name, type_ in types.items()}
    return {"type": "object", "properties": properties, "required": sorted(types)}


def _description(text: str | None) -> dict[str, str]:
    return {} if text is None else {"description": " ".join(text.split())}
