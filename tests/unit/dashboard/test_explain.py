"""One price, line by line: from the store alone."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

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
from tests.contract.given import START, batch, build_series, hour, list_scopes, window
from tests.page_client import PageClient

FLAVOR = RuleTarget("instance", "flavor")
PATH = "/dashboard/explain"
#: All pages are loaded, and these are not: clients and plug-ins of the processor.
_LOADED = """
import sys
from ratekit.dashboard import routes
assert any(page.path == "/dashboard/explain" for page in routes.PAGES)
print(*sorted(name for name in sys.modules if name.startswith(("ratekit.collectors",
    "ratekit.fetchers", "ratekit.daemon", "keystoneauth1", "eventlet"))))
"""


def flat(cost: str, value: str, **terms: object) -> Rule:
    return MappingRule(FLAVOR, value, Terms(Decimal(cost), CostType.FLAT, **terms))  # type: ignore[arg-type]


@pytest.fixture
def storage(pages: PageClient) -> Storage:
    """Two hours by rules that have changed since."""
    storage = pages.parts.storage
    rules = [
        flat("0.1", "small"),
        flat("0.05", "small", scope="p1"),
        ThresholdRule(RuleTarget("instance"), Decimal(2), Terms(Decimal("0.5"), CostType.RATE)),
    ]
    storage.rules.change(0, [], rules, ChangeNote(START, "ann@example", "for a customer"))
    series = [
        build_series(
            "p1", [("4", "0.1")], labels={"id": f"vm-{number}"}, metadata={"flavor": "small"}
        )
        for number in (1, 2)
    ]
    storage.ledger.commit(batch(list_scopes(storage, "p1"), *series, rules=1))
    return storage


def change_prices(storage: Storage) -> None:
    [old] = [rule for rule in storage.rules.read().rules if rule.terms.scope is not None]
    note = ChangeNote(hour(3), "secret@example", "secret reason", retroactive=True)
    new = flat("0.06", "small", scope="p1")
    storage.rules.change(1, [(old, START - datetime.timedelta(days=1))], [new], note)


@pytest.mark.usefixtures("storage")
def test_a_price_is_explained(pages: PageClient) -> None:
    query: dict[str, Any] = {
        "scope": "p1",
        "metric": "instance",
        "begin": "2026-03-01T00:30:00",
        "id": "vm-1",
    }
    page = pages.get(PATH, **query)
    assert page.status == 200
    assert "quantity 4 instance , price 0.1" in page.words
    assert "flat 0.05 * threshold 0.5 * quantity 4 = 0.1" in page.words
    assert page.rows[1:4] == [
        ["flavor is small", "0.05 per instance and hour (for your project)", "yes"],
        [
            "flavor is small",
            "0.1 per instance and hour",
            "no: your project has its own price",
        ],
        ["quantity from 2 instance", "the price times 0.5", "yes"],
    ]
    assert ["flavor", "small"] in page.rows
    assert "version 1, the newest" in page.words
    csv = pages.get(PATH, format="csv", **query).csv
    assert csv[-1] == ["total", "", "instance 4 instance", "", "", "0.1"]


def test_rules_of_then_and_now(pages: PageClient, storage: Storage) -> None:
    change_prices(storage)
    query: dict[str, Any] = {"metric": "instance", "begin": "2026-03-01", "id": "vm-1"}
    member = pages.get(PATH, "p1", None, "GET", **query)
    assert "version 1, before they were changed at 2026-03-01T03:00:00Z" in member.words
    assert "0.12, a difference of 0.02" in member.words
    assert "secret" not in member.text
    assert "reprocess" not in member.text
    admin = pages.get(PATH, scope="p1", **query)
    assert "secret reason" in admin.text


@pytest.mark.usefixtures("storage")
def test_several_prices_are_offered_to_choose_from(pages: PageClient) -> None:
    page = pages.get(PATH, scope="p1", metric="instance", begin="2026-03-01")
    assert "Which price?" in page.words
    assert [row[0] for row in page.rows] == ["id", "vm-1", "vm-2"]
    links = [str(link["href"]) for link in page.content.select(".scroll a[href]:has(.money)")]
    for number, link in enumerate(links, 1):
        assert ["id", f"vm-{number}"] in pages.get(link).rows


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize(
    "query",
    [
        {"metric": "other"},
        {"begin": "2026-03-02"},
        {"id": "vm-3"},
        {"frame": "0123456789abcdef0123"},
        {"begin": "9999-12-31T23:30:00"},
    ],
)
def test_a_price_that_does_not_exist_is_a_page(pages: PageClient, query: dict[str, str]) -> None:
    whole = {"metric": "instance", "begin": "2026-03-01", "id": "vm-1", **query}
    page = pages.get(PATH, "p1", None, "GET", **whole)
    assert page.status in (400, 404)
    assert page.content.h1 is not None
    if page.status == 404:
        assert page.content.h1.text == "No such price"


def test_all_projects_have_no_single_price(pages: PageClient) -> None:
    page = pages.get(PATH, metric="instance", begin="2026-03-01")
    assert page.status == 400
    assert "Scope: missing" in page.words


@pytest.mark.usefixtures("storage")
def test_a_price_is_explained_without_the_metrics(pages: PageClient) -> None:
    # Reading metrics.yml loads the collector.
    pages.replace(metrics=None)
    page = pages.get(PATH, scope="p1", metric="instance", begin="2026-03-01", id="vm-1")
    assert page.status == 200


def test_pages_load_no_back_end() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_a_share_of_a_quantity_is_named(pages: PageClient, storage: Storage) -> None:
    labels = {"id": "vm-9"}
    series = build_series(
        "p1", [("0.25", "0.0125")], labels=labels, begin=hour(1), shared={0: ("1", "0.25")}
    )
    states = list_scopes(storage, "p1", now=hour(1))
    storage.ledger.commit(batch(states, series, periods=window(1, hour(1)), rules=1))
    page = pages.get(PATH, scope="p1", metric="instance", begin=hour(1).isoformat(), id="vm-9")
    assert "0.25 of 1 instance" in page.words
    assert "These labels had 0.25 of it; all of it would have been 1 instance" in page.words
