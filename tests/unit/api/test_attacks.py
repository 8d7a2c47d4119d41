"""Whatever somebody sends, the answer is one line of JSON, and tells nothing of the inside."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.api.operation import Operation
from ratekit.api.routes import OPERATIONS
from ratekit.storage import migrate
from tests.api_client import Client, Response
from tests.databases import new_database
from tests.unit.api.parameters import requests, requests_of_values

#: What no answer may contain, in any case of letters.
LEAKS = ("traceback", "select ", "insert into", "sqlalchemy", "sqlite", "psycopg", 'file "/')
#: What operations answer that ratekit refuses on purpose.
REFUSED = 501
_VERY_LONG = 100_000
NASTY = (
    "'; DROP TABLE scopes; --",
    '"',
    "\\",
    "%00%",
    "a\0b",
    "\ud83d",
    "\u202eevil",
    "../../etc/passwd",
    "{0.__class__}",
    "${jndi:ldap://x}",
    "<script>",
    "9" * 5000,
    "-1",
    "NaN",
    "1e999999999",
    "\n\r",
    "",
    " ",
)
BODIES = (
    b"[" * 200_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"limit": ' + b"9" * 10_000 + b"}",
    b'{"cost": 1e999999999}',
    b'{"cost": -0.0e-999999999}',
    b'{"name": "\\ud83d"}',
    b'{"name": "\\u0000"}',
    b'{"name": "a", "name": "b"}',
    b'{"__proto__": {}}',
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"null",
    b'"text"',
    b"{}{}",
)
WRITING = [entry for entry in OPERATIONS if entry.verb != "GET" and entry.rule is not None]
#: Operations that refuse unknown arguments; some accept anything, and then refuse it all.
STRICT = [
    entry
    for entry in OPERATIONS
    if entry.rule is not None and entry.arguments.model_config.get("extra") == "forbid"
]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of an API that everybody attacks."""
    folder: pathlib.Path = tmp_path_factory.mktemp("attacked")
    with new_database("sqlite", folder) as url:
        migrate.upgrade(url)
        yield Client(folder, url)


def require_harmless(response: Response) -> None:
    """Require an answer that is no server error and tells nothing."""
    assert response.status < 500 or response.status == REFUSED, response
    text = response.text.lower()
    assert [leak for leak in LEAKS if leak in text] == []
    if response.status >= 400:
        require_fault(response)


def require_fault(response: Response) -> None:
    """Require one line, in a dialect."""
    assert response.body.keys() in ({"message"}, {"faultcode", "faultstring", "debuginfo"})
    message = response.body.get("message") or response.body.get("faultstring")
    assert message
    assert message.isprintable()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda entry: f"{entry.verb} {entry.path}")
@given(data=st.data())
def test_random_arguments_are_harmless(
    attacked: Client, operation: Operation, data: st.DataObject
) -> None:
    request = data.draw(requests(operation, ("a1", "instance", "flavor")))
    response = attacked.send(operation.verb, request.path, request.body, None, **request.query)
    require_harmless(response)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda entry: f"{entry.verb} {entry.path}")
def test_nasty_texts_in_every_argument_are_harmless(attacked: Client, operation: Operation) -> None:
    for request in requests_of_values(operation, NASTY):
        response = attacked.send(operation.verb, request.path, request.body, None, **request.query)
        require_harmless(response)


@pytest.mark.parametrize("operation", WRITING, ids=lambda entry: f"{entry.verb} {entry.path}")
def test_nasty_bodies_are_harmless(attacked: Client, operation: Operation) -> None:
    path = re.sub("{.*?}", "1", operation.path)
    for body in BODIES:
        require_harmless(attacked.send_bytes(operation.verb, path, body))


@pytest.mark.parametrize("operation", STRICT, ids=lambda entry: f"{entry.verb} {entry.path}")
def test_an_unknown_argument_is_refused_wherever_it_is(
    attacked: Client, operation: Operation
) -> None:
    path = re.sub("{.*?}", "1", operation.path)
    for response in (
        attacked.send(operation.verb, path, None, surprise="1"),
        attacked.send(operation.verb, path, {"surprise": 1}),
    ):
        assert response.status == 400, response
        assert "unknown argument 'surprise'" in response.text
        require_fault(response)


@pytest.mark.parametrize("path", ["/v1/rating/quote", "/v2/scope"])
def test_a_body_of_10_mb_is_refused_unread(attacked: Client, path: str) -> None:
    response = attacked.send_bytes("POST", path, b" " * 10_000_000)
    assert response.status == 413
    require_fault(response)


def test_fifty_labels_are_too_many(attacked: Client) -> None:
    labels = [f"label{number}" for number in range(50)]
    for groupby in (labels, ",".join(labels)):
        response = attacked.get("/v2/summary", groupby=groupby)
        assert response.status == 400
        assert "max_groupby" in response.text
        require_fault(response)


@pytest.mark.parametrize("path", ["/v2/summary", "/v2/dataframes", "/v2/task/reprocesses"])
@pytest.mark.parametrize("limit", [10**9, 10**18, 10**30, 0, -1])
def test_a_page_has_a_limit_that_can_be_held(attacked: Client, path: str, limit: int) -> None:
    response = attacked.get(path, limit=limit)
    require_harmless(response)
    assert response.status in ({400} if limit < 1 or "task" not in path else {200, 400})


@pytest.mark.parametrize("offset", [10**9, 10**18, 10**30, -1])
def test_an_offset_may_be_after_the_end(attacked: Client, offset: int) -> None:
    for path in ("/v2/summary", "/v2/dataframes", "/v2/scope", "/v2/task/reprocesses"):
        require_harmless(attacked.get(path, offset=offset))


@pytest.mark.parametrize("path", ["/v1/rating/modules/", "/v2/task/reprocesses/", "/elsewhere/"])
def test_a_long_path_is_answered_in_one_line(attacked: Client, path: str) -> None:
    response = attacked.get(path + "a" * _VERY_LONG)
    require_harmless(response)
