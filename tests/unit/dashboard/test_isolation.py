"""A page of a tenant never depends on what another has, whatever he asks for."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.api.operation import Operation
from ratekit.dashboard.page import Page
from ratekit.dashboard.routes import PAGES
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.contract.given import START, batch, build_series, list_scopes, window
from tests.databases import new_database
from tests.page_client import PageClient, PageResponse
from tests.unit.api.parameters import requests, requests_of_values

MINE, THEIRS = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "f9e8d7c6b5a493827160f5e4d3c2b1a0"
#: What only the other tenant has.
SECRETS = (
    THEIRS,
    f"name of {THEIRS}",
    *("their-server", "their-flavor", "their.metric", "their-label", "their-unit"),
    *("73.917", "7391.7", "147.834", "their-group", "their-value", "0.8675309", "86753"),
)
WORDS = (*[MINE, THEIRS] * 4, *SECRETS, f"{MINE},{THEIRS}", "my-server", "small", "instance")
METRICS = """
metrics:
  instance:
    unit: instance
    metadata: [flavor]
    groupby: [id, project_id]
    extra_args: {aggregation_method: max, resource_type: instance}
"""
#: How an argument may name the other tenant, and times at which he has usage.
FORMS = (
    *(THEIRS, [MINE, THEIRS], f"{MINE},{THEIRS}", f"name of {THEIRS}", "their-server", "their"),
    *("their.metric", "their-label", "their-flavor", "their-group", "their-value"),
    *("2026-03-01", "2026-03-01T01:00:00Z", "2026-04-01", "hour", "id", "project_id"),
)
#: What makes each page show as much as it can.
FULL: Mapping[str, Mapping[str, object]] = {
    "/dashboard/resource": {"id": "my-server"},
    "/dashboard/explain": {"metric": "instance", "begin": "2026-03-01T01:00:00Z"},
    "/dashboard/quote": {"metric": "instance", "quantity": "3", "label:flavor": "small"},
}
_NEEDED = {"metric": "instance", "begin": "2026-03-01T01:00:00Z"}
#: Policies that an operator may open to everybody: each still sees his own.
OPENED = ("summary:get_summary", "dataframes:get", "explain:get", "rating:quote")
TENANT_PAGES = [page for page in PAGES if page.rule in (*OPENED, "info:list_metrics_info")]


class Clients(NamedTuple):
    """Pages over two databases that differ in what another tenant has.

    :ivar alone: he has nothing
    """

    both: PageClient
    alone: PageClient


def rate(storage: Storage, others: bool) -> None:
    """Store three hours of usage, and prices."""
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
            # A resource of the same id.
            build_series(THEIRS, [("2", "0.5")], labels={"id": "my-server"}),
        ]
    storage.rules.change(0, [], list(rules(others)), ChangeNote(START, "ann@example"))
    scopes = [THEIRS, MINE] if others else [MINE]
    usage = batch(list_scopes(storage, *scopes), *series, periods=window(3), rules=1)
    storage.ledger.commit(usage)


def rules(others: bool) -> Iterator[Rule]:
    """Yield price rules: general ones, and special ones of both."""
    flavor, cost = RuleTarget("instance", "flavor"), Decimal("0.8675309")
    yield MappingRule(flavor, "small", Terms(Decimal("0.1"), CostType.FLAT))
    yield MappingRule(flavor, "small", Terms(Decimal("0.07"), CostType.FLAT, scope=MINE))
    yield ThresholdRule(RuleTarget("instance"), Decimal(2), Terms(Decimal(2), CostType.RATE))
    if others:
        terms = Terms(cost, CostType.FLAT, "their-group", THEIRS)
        yield MappingRule(flavor, "small", Terms(cost, CostType.FLAT, None, THEIRS))
        yield MappingRule(flavor, "their-value", terms)
        yield MappingRule(RuleTarget("instance", "their-label"), "their-value", terms)
        yield MappingRule(RuleTarget("their.metric"), None, terms)
        yield ThresholdRule(RuleTarget("instance"), Decimal(86753), terms)


@pytest.fixture(scope="module", params=["default policies", "policies that allow everybody"])
def clients(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    """Return pages with and without another tenant's usage and prices."""
    folders = [tmp_path_factory.mktemp(name) for name in ("both", "alone")]
    policies = folders[0] / "policy.yaml"
    opened = OPENED if request.param != "default policies" else ()
    policies.write_text("".join(f'"{rule}": ""\n' for rule in opened), encoding="utf-8")
    metrics = folders[0] / "metrics.yml"
    metrics.write_text(METRICS, encoding="utf-8")
    extra = f"[collect]\nmetrics_conf = {metrics}\n[oslo_policy]\npolicy_file = {policies}\n"
    with _open(folders[0]) as both_url, _open(folders[1]) as alone_url:
        both, alone = (
            PageClient(folder, url, extra)
            for folder, url in zip(folders, (both_url, alone_url), strict=True)
        )
        rate(both.parts.storage, others=True)
        rate(alone.parts.storage, others=False)
        yield Clients(both, alone)


@contextlib.contextmanager
def _open(folder: pathlib.Path) -> Iterator[str]:
    with new_database("sqlite", folder) as url:
        migrate.upgrade(url)
        yield url


def seen(response: PageResponse) -> tuple[object, ...]:
    """Return all of a page that does not differ from request to request."""
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in {"x-openstack-request-id", "date", "set-cookie", "content-length"}
    }
    text = re.sub(r'name="csrf" value="[^"]*"', "", response.text)
    return response.status, headers, text


def check(clients: Clients, page: Page, project: str, query: Mapping[str, Any]) -> None:
    """Require that a page is the same as if the other tenant had nothing."""
    both, alone = (client.get(page.path, project, None, "GET", **query) for client in clients)
    assert both.status < 500, both.text
    assert seen(both) == seen(alone)
    asked = unquote(repr(query))
    for secret in SECRETS:
        assert secret in asked or secret not in both.text


def as_operation(page: Page) -> Operation:
    """Return an operation with the page's path and arguments, for random requests."""
    return Operation("GET", page.path, lambda _: None, page.rule, page.arguments)


parametrized = pytest.mark.parametrize("page", TENANT_PAGES, ids=lambda page: page.path)


@parametrized
def test_no_page_depends_on_what_others_have(page: Page, clients: Clients) -> None:
    extra = st.dictionaries(
        st.sampled_from(["format", "label:flavor", "label:their-label", "label:project_id"]),
        st.sampled_from(["csv", "small", "their-value", THEIRS]),
        max_size=1,
    )
    full = st.sampled_from([{}, {"begin": "2026-03-01", "end": "2026-04-01"}])

    @settings(max_examples=max(10, settings().max_examples // 50))
    @given(requests(as_operation(page), WORDS), full, extra, st.sampled_from([MINE, ""]))
    def ask(request: Any, most: dict[str, str], more: dict[str, str], project: str) -> None:
        needed = {name: _NEEDED[name] for name in _NEEDED if page.path == "/dashboard/explain"}
        query = {**needed, **most, **(request.body or request.query), **more}
        check(clients, page, project, clean(query))

    ask()


def clean(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a query as text that can be in an address."""

    def text(value: object) -> str:
        return str(value).encode("utf-8", "replace").decode()

    return {
        name: list(map(text, value)) if isinstance(value, list) else text(value)
        for name, value in query.items()
    }


@parametrized
def test_no_argument_opens_what_others_have(page: Page, clients: Clients) -> None:
    full = {**FULL.get(page.path, {})}
    for output in ({}, {"format": "csv"}):
        check(clients, page, MINE, {**full, **output})
    for request in requests_of_values(as_operation(page), FORMS):
        if request.body is None:
            check(clients, page, MINE, clean({**full, **request.query}))


@pytest.mark.parametrize("path", ["overview", "costs", "resources", "prices"])
def test_an_administrator_sees_the_difference(path: str, clients: Clients) -> None:
    both, alone = (client.get(f"/dashboard/{path}", scope=THEIRS) for client in clients)
    assert both.status == 200
    assert seen(both) != seen(alone)


@parametrized
def test_nobody_sees_another_scope(page: Page, clients: Clients) -> None:
    if "scope" in page.arguments.model_fields:
        query = {"scope": THEIRS, **FULL.get(page.path, {})}
        response = clients.both.get(page.path, MINE, None, "GET", **query)
        assert response.status == 403


def is_for_operators(page: Page) -> bool:
    """Return whether a page needs a policy, and no argument."""
    needs = any(field.is_required() for field in page.arguments.model_fields.values())
    return page.rule is not None and page not in TENANT_PAGES and not needs


@pytest.mark.parametrize(
    "page", [page for page in PAGES if is_for_operators(page)], ids=lambda page: page.path
)
def test_every_other_page_is_refused(page: Page, clients: Clients) -> None:
    check(clients, page, MINE, {})
    assert clients.both.get(page.path, MINE).status == 403
