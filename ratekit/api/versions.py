"""What can be read without a token: the versions."""

from __future__ import annotations

from typing import Any

from ratekit.api.arguments import Arguments
from ratekit.api.operation import Call, Operation

_STATUS = {"v1": "CURRENT", "v2": "EXPERIMENTAL"}


def list_versions(call: Call[Arguments]) -> dict[str, Any]:
    """List the versions of the API."""
    return {"versions": [_version(name, call.base_url) for name in _STATUS]}


def get_v1(call: Call[Arguments]) -> dict[str, Any]:
    """Describe version 1."""
    return {"version": _version("v1", call.base_url)}


def get_v2(call: Call[Arguments]) -> dict[str, Any]:
    """Describe version 2."""
    return {"version": _version("v2", call.base_url)}


def _version(name: str, base_url: str) -> dict[str, Any]:
    links = [{"href": f"{base_url}/{name}", "rel": "self"}]
    return {"id": name, "status": _STATUS[name], "links": links}


OPERATIONS = [
    Operation("GET", "/", list_versions, None),
    Operation("GET", "/v1", get_v1, None),
    Operation("GET", "/v2", get_v2, None),
]
