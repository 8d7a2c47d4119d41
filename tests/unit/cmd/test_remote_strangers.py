"""Commands over an API where something else answers: one line, no traceback."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from tests.stub_keystone import TOKENS, endpoint, respond
from tests.stub_server import StubResponse, StubServer, run_stub_server
from tests.unit.cmd.conftest import Answer, Shell

PAGE = StubResponse(b"<html><title>Maintenance</title>", 200, (("Content-Type", "text/html"),))
BAD_GATEWAY = StubResponse(b"<html>Bad Gateway", 502, (("Content-Type", "text/html"),))
#: What CloudKitty knows of a scope.
FOREIGN_SCOPE = {"scope_id": "a1", "active": True, "last_processed_timestamp": "2026-03-01T00:00Z"}


def ask(ratekit: Shell, keystone: StubServer, words: str) -> Answer:
    """Run a command by a password, on a host without a configuration."""
    elsewhere = dataclasses.replace(ratekit, configured=False)
    options = {
        "auth-url": f"{keystone.url}/v3", "username": "ann", "password": "secret",
        "project-name": "alpha", "user-domain-id": "default", "project-domain-id": "default",
    }  # fmt: skip
    credentials = [part for key, value in options.items() for part in (f"--os-{key}", value)]
    return elsewhere(*credentials, *words.split())


def answer_everything(answer: StubResponse) -> Callable[[StubServer], None]:
    """Answer so in place of Keystone."""

    def condition(keystone: StubServer) -> None:
        for path in ("/", "/v3", "/v3/", TOKENS):
            keystone.respond(path, answer)

    return condition


def log_in(answer: StubResponse) -> Callable[[StubServer], None]:
    """Answer so when a user logs in."""

    def condition(keystone: StubServer) -> None:
        respond(keystone, [])
        keystone.respond(TOKENS, answer)

    return condition


def serve(answer: StubResponse) -> Callable[[StubServer], None]:
    """Answer so in place of the API."""

    def condition(keystone: StubServer) -> None:
        respond(keystone, [endpoint(f"{keystone.url}/rating", kind="rating")])
        for path in ("v2/scope", "v2/scope/coverage", "v2/summary", "v2/explain",
                     "v2/rating/quote"):  # fmt: skip
            keystone.respond(f"/rating/{path}", answer)

    return condition


CONDITIONS: Mapping[str, tuple[Callable[[StubServer], None], int, str]] = {
    "nothing there": (lambda keystone: None, 2, "cannot log in to Keystone: "),
    "pages": (answer_everything(PAGE), 1, "cannot log in to Keystone: Invalid response"),
    "bad gateway": (answer_everything(BAD_GATEWAY), 1, "cannot log in to Keystone: Bad Gateway"),
    "a page at log-in": (log_in(PAGE), 1, "cannot log in to Keystone: Invalid response"),
    "a locked user": (
        log_in(StubResponse({"error": {"message": "locked", "code": 403}}, 403)),
        2,
        "cannot log in to Keystone: locked (HTTP 403)",
    ),
    "no token": (
        log_in(StubResponse({"token": {}}, 201)),
        1,
        "cannot log in to Keystone: the response is not Keystone's",
    ),
    "half a token": (
        log_in(StubResponse({"token": {"catalog": []}}, 201, (("X-Subject-Token", "x"),))),
        1,
        "cannot log in to Keystone: the response is not Keystone's",
    ),
    "no API": (
        lambda keystone: respond(keystone, []),
        2,
        "the service catalogue has no endpoint of type rating",
    ),
    "a page of the API": (serve(PAGE), 1, "answers 200: no explanation; is it ratekit's API?"),
    "its bad gateway": (serve(BAD_GATEWAY), 1, "answers 502: no explanation"),
    "a list": (serve(StubResponse([])), 2, "the API's answer is not ratekit's"),
    "CloudKitty": (
        serve(StubResponse({"results": [FOREIGN_SCOPE], "total": 1})),
        2,
        "does another service have the type rating in the service catalogue?",
    ),
    "an empty object": (serve(StubResponse({})), 2, "the API's answer is not ratekit's"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize(
    "words",
    [
        "summary --groupby metric",
        "summary",
        "scope list",
        "scope show a1",
        "quote --service instance",
        "explain --scope a1 --metric instance --period 2026-03-01",
    ],
)
def test_what_is_no_keystone_and_no_api_is_one_line(ratekit: Shell, name: str, words: str) -> None:
    condition, code, text = CONDITIONS[name]
    with run_stub_server() as keystone:
        condition(keystone)
        answer = ask(ratekit, keystone, words)
    assert (answer.code, answer.out) == (code, ""), answer.err
    assert answer.err.startswith("ratekit: ")
    assert answer.err.count("\n") == 1, answer.err
    assert text in answer.err
