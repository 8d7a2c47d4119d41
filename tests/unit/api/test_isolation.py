"""A tenant never gets another's number, whatever he asks for."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.api.operation import Operation
from ratekit.api.routes import OPERATIONS
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.api_client import PROJECT, Client, Response
from tests.contract.given import batch, build_series, list_scopes, window
from tests.databases import new_database
from tests.unit.api.parameters import Request, requests, requests_of_values

MINE, THEIRS = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "f9e8d7c6b5a493827160f5e4d3c2b1a0"
#: What only the other tenant has.
SECRETS = (
    THEIRS,
    f"name of {THEIRS}",
    *("their-server", "their-flavor", "their.metric", "their-label", "their-unit"),
    *("73.917", "7391.7", "147.834"),
)
WORDS = (*[MINE, THEIRS] * 4, *SECRETS, f"{MINE},{THEIRS}", "my-server", "small", "instance")
METRICS = """
metrics:
  instance: {unit: instance, extra_args: {aggregation_method: max, resource_type: instance}}
"""
#: How an argument may name the other tenant.
FORMS = (
    *(THEIRS, [MINE, THEIRS], f"{MINE},{THEIRS}", f"name of {THEIRS}", "their-server"),
    *(f"{key}:{THEIRS}" for key in ("project_id", "scope", "tenant_id", "scope_id")),
    *(f"{key}:{MINE},{key}:{THEIRS}" for key in ("project_id", "scope")),
    *("id:their-server", "resource_id:their-server", "type:their.metric", "their-label:x"),
)
READING = [entry for entry in OPERATIONS if entry.verb == "GET" and entry.rule is not None]

#: Rules that an operator may open to everybody: each still sees his own.
OPENED = sorted(
    {entry.rule for entry in READING if entry.rule and not entry.rule.startswith("rating:")}
)


class Clients(NamedTuple):
    """APIs over two databases that differ in what another tenant has.

    :ivar alone: he has nothing
    """

    both: Client
    alone: Client


def rate(storage: Storage, others: bool) -> None:
    """Store three hours of usage."""
    series = [
        build_series(
            MINE, [("1", "0.1")] * 3, labels={"id": "my-server"}, metadata={"flavor": "small"}
        ),
        build_series(MINE, [("40", "0.25")] * 2, metric="volume", unit="GiB"),
    ]
    if others:
        labels = {"id": "their-server", "their-label": "x"}
        series += [
            build_series(THEIRS, [("7391.7", "73.917")] * 2, labels=labels),
            build_series(THEIRS, [("1", "73.917")], metric="their.metric", unit="their-unit"),
            build_series(THEIRS, [("2", "0.5")], metadata={"flavor": "their-flavor"}),
        ]
    scopes = [THEIRS, MINE] if others else [MINE]
    storage.ledger.commit(batch(list_scopes(storage, *scopes), *series, periods=window(3)))


@pytest.fixture(scope="module", params=["default policies", "policies that allow everybody"])
def clients(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    """Return APIs with and without another tenant's usage."""
    folders = [tmp_path_factory.mktemp(name) for name in ("both", "alone")]
    policies = folders[0] / "policy.yaml"
    opened = OPENED if request.param != "default policies" else ()
    policies.write_text("".join(f'"{rule}": ""\n' for rule in opened), encoding="utf-8")
    metrics = folders[0] / "metrics.yml"
    metrics.write_text(METRICS, encoding="utf-8")
    extra = f"[collect]\nmetrics_conf = {metrics}\n[oslo_policy]\npolicy_file = {policies}\n"
    extra += "[rating]\ncurrency = EUR\n"
    with _open(folders[0]) as both_url, _open(folders[1]) as alone_url:
        both, alone = Client(folders[0], both_url, extra), Client(folders[1], alone_url, extra)
        rate(both.parts.storage, others=True)
        rate(alone.parts.storage, others=False)
        yield Clients(both, alone)


@contextlib.contextmanager
def _open(folder: pathlib.Path) -> Iterator[str]:
    with new_database("sqlite", folder) as url:
        migrate.upgrade(url)
        yield url


def send(client: Client, project: str, request: Request) -> Response:
    headers = {PROJECT: project}
    return client.send("GET", request.path, request.body, headers, **request.query)


def seen(response: Response) -> tuple[object, ...]:
    """Return all of a response that does not differ from request to request."""
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in {"x-openstack-request-id", "date"}
    }
    return response.status, headers, response.text


def check(clients: Clients, project: str, request: Request) -> None:
    """Require that an answer is the same as if the other tenant had nothing."""
    response = send(clients.both, project, request)
    assert response.status < 500, response.text
    assert seen(response) == seen(send(clients.alone, project, request))
    asked = unquote(repr(request))
    for secret in SECRETS:
        assert secret in asked or secret not in response.text


@pytest.mark.parametrize("operation", READING, ids=lambda entry: f"{entry.name}:{entry.path}")
def test_no_answer_depends_on_what_others_have(operation: Operation, clients: Clients) -> None:
    @given(requests(operation, WORDS), st.sampled_from([MINE, ""]))
    def ask(request: Request, project: str) -> None:
        check(clients, project, request)

    ask()


@pytest.mark.parametrize("operation", READING, ids=lambda entry: f"{entry.name}:{entry.path}")
def test_no_argument_opens_what_others_have(operation: Operation, clients: Clients) -> None:
    for request in requests_of_values(operation, FORMS):
        check(clients, MINE, request)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/report/summary", {"all_tenants": "true"}),
        ("/v1/report/total", {"tenant_id": THEIRS}),
        ("/v1/report/tenants", {}),
        ("/v1/storage/dataframes", {}),
        ("/v2/summary", {}),
        ("/v2/dataframes", {}),
        ("/v2/export/focus", {}),
        ("/v2/scope", {}),
        ("/v2/scope/coverage", {"scope_id": THEIRS}),
    ],
)
def test_an_administrator_sees_the_difference(
    path: str, query: dict[str, str], clients: Clients
) -> None:
    both, alone = (client.get(path, **query) for client in clients)
    assert both.status == 200
    assert seen(both) != seen(alone)
