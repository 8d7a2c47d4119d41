"""What an HTTP service may do instead of answering."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.http_proxy import Answer, Exchange, PolicyMismatch

_HTML = b"<html><head><title>Sorry</title></head><body><h1>%s</h1><p>nginx</p></body></html>"
_JSON = {"Content-Type": "application/json"}


def refused(exchange: Exchange) -> bool:
    """Refuse all connections until the door is opened again."""
    exchange.hang_up()
    exchange.proxy.door.shut()
    return True


def reset_before_answer(exchange: Exchange) -> bool:
    """Take the request, answer nothing."""
    exchange.hang_up()
    return True


def reset_in_mid_answer(exchange: Exchange) -> bool:
    """Send half an answer."""
    answer = exchange.forward()
    half = len(answer.body) // 2
    exchange.answer(
        dataclasses.replace(answer, body=answer.body[:half]), missing=len(answer.body) - half
    )
    exchange.hang_up()
    return True


def stalled(exchange: Exchange) -> bool:
    """Say nothing until the caller has had enough."""
    exchange.wait()
    exchange.hang_up()
    return True


def dripping(exchange: Exchange) -> bool:
    """Send a byte now and then, for ever."""
    exchange.answer(Answer(200, _JSON, b"["), missing=10**9)
    exchange.trickle(b" ", 0.2)
    exchange.hang_up()
    return True


def saying(
    status: int, body: bytes | Any = b"", headers: Mapping[str, str] | None = None
) -> PolicyMismatch:
    """Answer without asking the service; a body that is not bytes is sent as JSON."""
    kind = {"Content-Type": "text/html"} if isinstance(body, bytes) else _JSON
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def play(exchange: Exchange) -> bool:
        exchange.answer(Answer(status, {**kind, **(headers or {})}, content))
        return True

    return play


def page(status: int, title: str) -> PolicyMismatch:
    """Answer with an HTML page, as things between us and the service do."""
    return saying(status, _HTML % title.encode())


def truncated(exchange: Exchange) -> bool:
    """Send half an answer as if that were all."""
    answer = exchange.forward()
    exchange.answer(dataclasses.replace(answer, body=answer.body[: len(answer.body) // 2]))
    return True


def changed(change: Callable[[Any], Any]) -> PolicyMismatch:
    """Change the service's own JSON; ``change`` returns None where there is nothing to change."""

    def play(exchange: Exchange) -> bool:
        answer = exchange.forward()
        body = json.loads(answer.body) if answer.status < 400 else None
        other = change(body) if body else None
        if other is None:
            exchange.answer(answer)
            return False
        exchange.answer(dataclasses.replace(answer, body=json.dumps(other).encode()))
        return True

    return play


def first_value(value: Any) -> Callable[[Any], Any]:
    """Put ``value`` in the place of the first measure of the first group."""

    def change(groups: list[Any]) -> Any:
        points = groups[0]["measures"]["measures"]["aggregated"]
        if not points:
            return None
        points[0][2] = value
        return groups

    return change


def doubled(groups: list[Any]) -> list[Any]:
    """Return the first group twice."""
    return [groups[0], *groups]


def without(*keys: str) -> Callable[[Any], Any]:
    """Take a key out of the first group."""

    def change(groups: list[Any]) -> Any:
        inner = groups[0]
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return groups

    return change


def twice_a_bucket(groups: list[Any]) -> list[Any]:
    """Return a measure of the first group twice."""
    points = groups[0]["measures"]["measures"]["aggregated"]
    points.insert(0, points[0])
    return groups


def moved_out_of_reach(groups: list[Any]) -> list[Any]:
    """Make the first measure's time senseless."""
    groups[0]["measures"]["measures"]["aggregated"][0][0] = "yesterday"
    return groups


NETWORK_FAULTS: Mapping[str, PolicyMismatch] = {
    "connections refused": refused,
    "reset before the answer": reset_before_answer,
    "reset in mid-answer": reset_in_mid_answer,
    "stalled": stalled,
}

#: Answers that are whole, but not what was asked for.
HTTP_FAULTS: Mapping[str, PolicyMismatch] = {
    "401": saying(401, {"error": {"code": 401, "title": "Unauthorized"}}),
    "403": saying(403, {"code": 403, "title": "Forbidden", "description": "policy"}),
    "404 page": page(404, "404 Not Found"),
    "409": saying(409, {"code": 409, "title": "Conflict", "description": "busy"}),
    "413 page": page(413, "413 Request Entity Too Large"),
    "429 with Retry-After": saying(429, b"slow down", {"Retry-After": "1"}),
    "500": saying(500, b"Internal Server Error"),
    "502 page": page(502, "502 Bad Gateway"),
    "503 with Retry-After": saying(503, b"maintenance", {"Retry-After": "1"}),
    "504 page": page(504, "504 Gateway Time-out"),
    "301 to nowhere": saying(301, b"", {"Location": "http://127.0.0.1:1/"}),
    "204": saying(204),
    "nothing": saying(200, b""),
    "200 page": page(200, "Welcome to nginx!"),
    "truncated JSON": truncated,
    "{}": saying(200, {}),
    "null": saying(200, b"null", _JSON),
    "a string": saying(200, "hello"),
    "a number": saying(200, 7),
    "a list of strings": saying(200, ["hello"]),
    "a list of lists": saying(200, [[]]),
}

#: Wrong inside of an answer about aggregates.
GROUP_FAULTS: Mapping[str, PolicyMismatch] = {
    "NaN": changed(first_value(float("nan"))),
    "Infinity": changed(first_value(float("inf"))),
    "null values": changed(first_value(None)),
    "text for values": changed(first_value("12")),
    "true for values": changed(first_value(True)),
    "duplicate groups": changed(doubled),
    "groups without measures": changed(without("measures")),
    "groups without an id": changed(without("group", "id")),
    "senseless times": changed(moved_out_of_reach),
    "groups without a label": changed(without("group", "flavor_name")),
    "duplicate measures": changed(twice_a_bucket),
}

#: An answer about somebody who is not named.
NO_SCOPE = changed(without("group", "project_id"))
