"""Faults of an HTTP service."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.http_proxy import Exchange, Fault, Response

_HTML = b"<html><head><title>Sorry</title></head><body><h1>%s</h1><p>nginx</p></body></html>"
_JSON = {"Content-Type": "application/json"}


def refuse_connections(exchange: Exchange) -> bool:
    """Refuse all connections until the listener is opened again."""
    exchange.hang_up()
    exchange.proxy.listener.refuse()
    return True


def reset_before_response(exchange: Exchange) -> bool:
    """Accept the request, then reset the connection."""
    exchange.hang_up()
    return True


def reset_within_response(exchange: Exchange) -> bool:
    """Send half a response, then reset the connection."""
    response = exchange.forward()
    half = len(response.body) // 2
    exchange.respond(
        dataclasses.replace(response, body=response.body[:half]), missing=len(response.body) - half
    )
    exchange.hang_up()
    return True


def stall_until_timeout(exchange: Exchange) -> bool:
    """Send nothing until the client gives up."""
    exchange.wait()
    exchange.hang_up()
    return True


def drip(exchange: Exchange) -> bool:
    """Send a byte from time to time, without an end."""
    exchange.respond(Response(200, _JSON, b"["), missing=10**9)
    exchange.trickle(b" ", 0.2)
    exchange.hang_up()
    return True


def respond_with(
    status: int, body: bytes | Any = b"", headers: Mapping[str, str] | None = None
) -> Fault:
    """Respond without the service; a body other than bytes is sent as JSON."""
    content_type = {"Content-Type": "text/html"} if isinstance(body, bytes) else _JSON
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def play(exchange: Exchange) -> bool:
        exchange.respond(Response(status, {**content_type, **(headers or {})}, content))
        return True

    return play


def respond_with_page(status: int, title: str) -> Fault:
    """Respond with an HTML page, as a proxy before the service does."""
    return respond_with(status, _HTML % title.encode())


def truncate_response(exchange: Exchange) -> bool:
    """Send half a response as if it were complete."""
    response = exchange.forward()
    exchange.respond(dataclasses.replace(response, body=response.body[: len(response.body) // 2]))
    return True


def change_json(change: Callable[[Any], Any]) -> Fault:
    """Change the service's JSON; ``change`` returns None if it cannot change it."""

    def play(exchange: Exchange) -> bool:
        response = exchange.forward()
        body = json.loads(response.body) if response.status < 400 else None
        changed_body = change(body) if body else None
        if changed_body is None:
            exchange.respond(response)
            return False
        exchange.respond(dataclasses.replace(response, body=json.dumps(changed_body).encode()))
        return True

    return play


def replace_first_value(value: Any) -> Callable[[Any], Any]:
    """Replace the first measure of the first group with ``value``."""

    def change(groups: list[Any]) -> Any:
        points = groups[0]["measures"]["measures"]["aggregated"]
        if not points:
            return None
        points[0][2] = value
        return groups

    return change


def duplicate_group(groups: list[Any]) -> list[Any]:
    """Return the first group twice."""
    return [groups[0], *groups]


def remove_key(*keys: str) -> Callable[[Any], Any]:
    """Remove a key from the first group."""

    def change(groups: list[Any]) -> Any:
        inner = groups[0]
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return groups

    return change


def duplicate_measure(groups: list[Any]) -> list[Any]:
    """Return a measure of the first group twice."""
    points = groups[0]["measures"]["measures"]["aggregated"]
    points.insert(0, points[0])
    return groups


def invalid_time(groups: list[Any]) -> list[Any]:
    """Replace the first measure's time with text that is no time."""
    groups[0]["measures"]["measures"]["aggregated"][0][0] = "yesterday"
    return groups


NETWORK_FAULTS: Mapping[str, Fault] = {
    "connections refused": refuse_connections,
    "reset before the response": reset_before_response,
    "reset within the response": reset_within_response,
    "stalled": stall_until_timeout,
}

#: Complete responses with an error status or a wrong body.
HTTP_FAULTS: Mapping[str, Fault] = {
    "401": respond_with(401, {"error": {"code": 401, "title": "Unauthorized"}}),
    "403": respond_with(403, {"code": 403, "title": "Forbidden", "description": "policy"}),
    "404 page": respond_with_page(404, "404 Not Found"),
    "409": respond_with(409, {"code": 409, "title": "Conflict", "description": "busy"}),
    "413 page": respond_with_page(413, "413 Request Entity Too Large"),
    "429 with Retry-After": respond_with(429, b"slow down", {"Retry-After": "1"}),
    "500": respond_with(500, b"Internal Server Error"),
    "502 page": respond_with_page(502, "502 Bad Gateway"),
    "503 with Retry-After": respond_with(503, b"maintenance", {"Retry-After": "1"}),
    "504 page": respond_with_page(504, "504 Gateway Time-out"),
    "301 to nowhere": respond_with(301, b"", {"Location": "http://127.0.0.1:1/"}),
    "204": respond_with(204),
    "empty body": respond_with(200, b""),
    "200 page": respond_with_page(200, "Welcome to nginx!"),
    "truncated JSON": truncate_response,
    "{}": respond_with(200, {}),
    "null": respond_with(200, b"null", _JSON),
    "a string": respond_with(200, "hello"),
    "a number": respond_with(200, 7),
    "a list of strings": respond_with(200, ["hello"]),
    "a list of lists": respond_with(200, [[]]),
}

#: Wrong content of a response about aggregates.
GROUP_FAULTS: Mapping[str, Fault] = {
    "NaN": change_json(replace_first_value(float("nan"))),
    "Infinity": change_json(replace_first_value(float("inf"))),
    "null values": change_json(replace_first_value(None)),
    "text for values": change_json(replace_first_value("12")),
    "true for values": change_json(replace_first_value(True)),
    "duplicate groups": change_json(duplicate_group),
    "groups without measures": change_json(remove_key("measures")),
    "groups without an id": change_json(remove_key("group", "id")),
    "invalid times": change_json(invalid_time),
    "groups without a label": change_json(remove_key("group", "flavor_name")),
    "duplicate measures": change_json(duplicate_measure),
}

#: A response without the scope.
NO_SCOPE = change_json(remove_key("group", "project_id"))
