"""The price list and the form that asks for a price."""

from __future__ import annotations

from decimal import Decimal

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
from tests.api_client import NOW
from tests.contract.given import HOUR, START
from tests.page_client import PageClient, PageResponse

FLAVOR, VOLUME = RuleTarget("instance", "flavor_name"), RuleTarget("volume.size")
QUOTE = "/dashboard/quote"


def terms(cost: str, kind: str = "flat", **fields: object) -> Terms:
    return Terms(Decimal(cost), CostType(kind), **fields)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _prices(pages: PageClient) -> None:
    rules: list[Rule] = [
        MappingRule(FLAVOR, "small", terms("0.02", end=NOW + HOUR)),
        MappingRule(FLAVOR, "small", terms("0.03", start=NOW + HOUR)),
        MappingRule(FLAVOR, "small", terms("0.01", scope="p1", end=NOW + HOUR)),
        MappingRule(FLAVOR, "small", terms("0.0001", scope="p2")),
        MappingRule(VOLUME, None, terms("0.0003", end=NOW - HOUR)),
        MappingRule(VOLUME, None, terms("0.0004", start=NOW - HOUR)),
        ThresholdRule(VOLUME, Decimal(1000), terms("0.9", "rate")),
        ThresholdRule(VOLUME, Decimal(5000), terms("0.8", "rate")),
        MappingRule(RuleTarget("secret.metric"), None, terms("1", scope="p2")),
    ]
    pages.parts.storage.rules.change(0, [], rules, ChangeNote(START, "ann@example"))


def section(page: PageResponse, metric: str) -> list[tuple[str, ...]]:
    """Return the rows of a metric's tables."""
    [whole] = [
        part for part in page.content.select("section") if part.h2 and metric in part.h2.text
    ]
    return [
        tuple(" ".join(cell.text.split()) for cell in row.find_all(["th", "td"]))
        for row in whole.select("tbody tr")
    ]


def test_prices_of_a_project(pages: PageClient) -> None:
    page = pages.get("/dashboard/prices", "p1")
    edge = "2026-03-15 13:30 UTC"
    assert section(page, "instance") == [
        (
            *("flavor_name is small", "0.02 per instance and hour", "always", edge),
            "the project has its own price instead",
        ),
        (
            *("flavor_name is small", "0.01 per instance and hour", "always", edge),
            "for this project alone",
        ),
        ("flavor_name is small", "0.03 per instance and hour", edge, "further notice", ""),
    ]
    edge = "2026-03-15 11:30 UTC"
    assert section(page, "volume.size") == [
        ("all usage", "0.0004 per GiB and hour", edge, "further notice"),
        (
            *("quantity from 1,000 GiB to below 5,000 GiB", "the price times 0.9"),
            *("always", "further notice"),
        ),
        ("quantity from 5,000 GiB", "the price times 0.8", "always", "further notice"),
        ("all usage", "0.0003 per GiB and hour", "always", edge),
    ]
    assert "image.size in MiB No price: usage is recorded and free." in page.words
    assert "secret" not in page.text
    assert "0.0001" not in page.text


def test_prices_as_csv(pages: PageClient) -> None:
    head, *rows = pages.get("/dashboard/prices", "p1", metric="volume.size", format="csv").csv
    assert head == ["metric", "group", "usage", "price", "from", "until", "valid", "for"]
    assert [row[6] for row in rows] == ["now", "now", "now", "past"]


def ask(pages: PageClient, **query: str) -> PageResponse:
    return pages.get(QUOTE, "p1", None, "GET", **query)


def test_the_form_asks_first_for_the_metric(pages: PageClient) -> None:
    page = ask(pages)
    names = {str(tag["name"]) for tag in page.content.select("form [name]")}
    assert names == {"metric"}
    assert "secret.metric" not in page.text
    form = ask(pages, metric="instance")
    names = {str(tag["name"]) for tag in form.content.select("form [name]")}
    assert {"metric", "quantity", "at", "label:flavor_name", "label:vcpus"} <= names
    assert "label:project_id" not in names
    assert [str(tag["value"]) for tag in form.content.select("datalist option")] == ["small"]


def test_a_price_for_each_length_of_time(pages: PageClient) -> None:
    usage = {"metric": "instance", "quantity": "2", "label:flavor_name": "small"}
    page = ask(pages, **usage)
    values = [str(tag["value"]) for tag in page.content.select(".figure data.money")]
    assert values == ["0.02", "0.48", "14.4"]
    assert "flat 0.01 * quantity 2 = 0.02" in page.words
    later = ask(pages, at="2026-03-16T00:00", **usage)
    values = [str(tag["value"]) for tag in later.content.select(".figure data.money")]
    assert values[0] == "0.06"


def test_thresholds_count(pages: PageClient) -> None:
    page = ask(pages, metric="volume.size", quantity="6000")
    values = [str(tag["value"]) for tag in page.content.select(".figure data.money")]
    assert values[0] == "1.92"
    assert "no: one with a higher start takes its place" in page.words


def test_a_label_that_no_price_looks_for_is_a_hint(pages: PageClient) -> None:
    page = ask(pages, metric="instance", quantity="1", **{"label:flavor_name": "smal"})
    assert "No rule looks for flavor_name=smal (did you mean 'small'?)" in page.words
    assert "No price rule matches this usage, so it is free." in page.words


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        (
            {"metric": "instanc"},
            "metric",
            "There is no metric 'instanc' (did you mean 'instance'?)",
        ),
        ({"metric": "secret.metric"}, "metric", "There is no metric 'secret.metric'"),
        ({"quantity": "many"}, "quantity", "Enter a number of at least 0"),
        ({"quantity": "-1"}, "quantity", "Enter a number of at least 0"),
        ({"quantity": "1e999"}, "quantity", "Enter a number of at least 0"),
        ({"at": "tomorrow"}, "at", "Enter a date and a time"),
        ({"at": "0001-01-01T00:00+14:00"}, "at", "Enter a date and a time"),
        ({"label:flavr_name": "x"}, "label:flavr_name", "instance has no label 'flavr_name'"),
        ({"label:month": "3"}, "label:month", "Leave this empty: it follows from the time."),
        ({"label:project_id": "p2"}, "label:project_id", "has no label 'project_id'"),
    ],
)
def test_mistakes_are_at_their_fields_and_nothing_is_lost(
    pages: PageClient, query: dict[str, str], field: str, words: str
) -> None:
    whole = {
        "metric": "instance",
        "quantity": "2.50",
        "at": "2026-03-15T10:00",
        "label:flavor_name": "small",
        **query,
    }
    page = ask(pages, **whole)
    assert page.status == 400
    tag = page.content.select_one(f'[name="{field}"]')
    assert tag is not None
    assert tag["aria-invalid"] == "true"
    note = page.content.find(id=str(tag["aria-describedby"]))
    assert note is not None
    assert words in note.get_text()
    entered = {str(tag["name"]): str(tag["value"]) for tag in page.content.select("form input")}
    chosen = page.content.select_one("select[name=metric] option[selected]")
    assert chosen is not None
    assert {**entered, "metric": chosen.text} == {**entered, **whole}


def test_unknown_arguments_are_refused(pages: PageClient) -> None:
    assert ask(pages, metrik="instance").status == 400
    assert ask(pages, **{"label:x": "y" * 300}).status == 400
    assert ask(pages, **{f"label:{number}": "y" for number in range(101)}).status == 400
