"""The pages about costs: what they show besides numbers, and what they say where there are none."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ratekit.interfaces import Storage
from tests.contract.given import HOUR, START, batch, build_series, hour, list_scopes, window
from tests.page_client import PageClient

MARCH: Mapping[str, Any] = {"begin": "2026-03-01", "end": "2026-04-01"}
#: In Berlin, clocks go forward in the night to March 29 and back in the night to October 25.
SPRING, AUTUMN = datetime.date(2026, 3, 29), datetime.date(2026, 10, 25)
BERLIN = "dashboard_zone = Europe/Berlin\n"
Build = Callable[..., PageClient]


@pytest.fixture
def build(tmp_path: pathlib.Path, url: str) -> Build:
    """Return a function that returns a client with options of [api] and more sections."""
    return lambda extra="": PageClient(tmp_path, url, extra)


def rate(
    storage: Storage, *prices: str, begin: datetime.datetime = START, hours: int | None = None
) -> None:
    """Rate hours of one project, ``p1``."""
    states = list_scopes(storage, "p1", now=begin, start=begin, resume=begin)
    pairs = [("1", price) for price in prices]
    series = build_series("p1", pairs, begin=begin, labels={"id": "vm"}) if pairs else None
    storage.ledger.commit(
        batch(states, *filter(None, [series]), periods=window(hours or len(prices), begin))
    )


def test_a_project_without_the_role_is_told_what_to_do(pages: PageClient) -> None:
    for path in ("overview", "costs", "resources"):
        words = pages.get(f"/dashboard/{path}", scope="p1").words
        assert "This project is not rated" in words
        assert "Ask the operator" in words
        assert "No usage in this" in words


def test_usage_that_is_not_rated_yet_is_announced(pages: PageClient) -> None:
    rate(pages.parts.storage, "1", "2")
    words = pages.get("/dashboard/overview", scope="p1").words
    assert "Not final: rated until 2026-03-01 02:00 UTC" in words
    assert (
        "Not final"
        not in pages.get(
            "/dashboard/costs", scope="p1", begin="2026-03-01T00:00:00Z", end="2026-03-01T02:00:00Z"
        ).words
    )
    words = pages.get("/dashboard/costs", scope="p1", begin="2026-03-02", end="2026-03-03").words
    assert "Nothing of this time is rated yet" in words
    words = pages.get("/dashboard/costs", scope="p1", begin="2026-02-01", end="2026-03-01").words
    assert "Before the first rated period The project is rated since 2026-03-01 00:00" in words


def test_a_time_that_is_rated_in_the_end_but_not_from_the_start_is_final(pages: PageClient) -> None:
    rate(pages.parts.storage, "1", "2")
    words = pages.get(
        "/dashboard/costs", scope="p1", begin="2026-02-01T00:00:00Z", end="2026-03-01T02:00:00Z"
    ).words
    assert "Not final" not in words
    assert "Rated since 2026-03-01 00:00 UTC Earlier usage is not charged." in words


def test_a_time_that_is_rated_neither_from_the_start_nor_in_the_end_says_both(
    pages: PageClient,
) -> None:
    rate(pages.parts.storage, "1", "2")
    words = pages.get("/dashboard/costs", scope="p1", begin="2026-02-01", end="2026-03-02").words
    assert "Not final: rated until 2026-03-01 02:00 UTC" in words
    assert "Rated since 2026-03-01 00:00 UTC" in words


def test_a_project_that_is_no_longer_rated_does_not_wait_for_more(pages: PageClient) -> None:
    rate(pages.parts.storage, "1", "2")
    pages.parts.storage.scopes.deactivate("p1", hour(2))
    words = pages.get("/dashboard/costs", scope="p1", **MARCH).words
    assert "Rated until 2026-03-01 02:00 UTC The project is no longer rated" in words


def test_a_gap_is_named(pages: PageClient) -> None:
    storage = pages.parts.storage
    rate(storage, "1", "2")
    list_scopes(storage, "p1", now=hour(1.5))
    list_scopes(storage, "p2", now=hour(2))
    list_scopes(storage, "p1", now=hour(9), resume=hour(9))
    words = pages.get("/dashboard/costs", scope="p1", **MARCH).words
    assert "Not rated from 2026-03-01 02:00 UTC to 2026-03-01 09:00 UTC" in words


def test_what_was_purged_is_named(pages: PageClient) -> None:
    storage = pages.parts.storage
    rate(storage, "1", "2")
    storage.purge.start(hour(1), totals=False)
    removed = "Removed: what was rated before 2026-03-01 01:00 UTC"
    assert removed not in pages.get("/dashboard/costs", scope="p1", **MARCH).words
    assert removed in pages.get("/dashboard/costs", scope="p1", by="id", **MARCH).words
    assert removed in pages.get("/dashboard/resources", scope="p1", **MARCH).words


def test_what_was_purged_is_named_for_all_projects_too(pages: PageClient) -> None:
    storage = pages.parts.storage
    rate(storage, "1", "2")
    removed = "Removed: what was rated before 2026-03-01 01:00 UTC"
    storage.purge.start(hour(1), totals=True)
    for path in ("costs", "resources", "totals", "projects"):
        # The list of projects has the costs of the time before, too.
        has_previous = path == "projects"
        for begin, end in (("2026-04-01", "2026-05-01"), ("2026-03-01T01:00:00Z", "2026-03-02")):
            words = pages.get(f"/dashboard/{path}", begin=begin, end=end).words
            assert (removed in words) == has_previous
        assert removed in pages.get(f"/dashboard/{path}", **MARCH).words


def test_an_overview_without_old_frames_names_them(pages: PageClient) -> None:
    storage = pages.parts.storage
    rate(storage, "1", "2")
    storage.purge.start(hour(1), totals=False)
    removed = "Removed: what was rated before 2026-03-01 01:00 UTC"
    assert removed in pages.get("/dashboard/overview", scope="p1").words


def test_a_month_of_free_usage_is_no_month_without_usage(pages: PageClient) -> None:
    rate(pages.parts.storage, "0", "0")
    for path in ("overview", "costs", "resources"):
        words = pages.get(f"/dashboard/{path}", scope="p1").words
        assert "All of this usage is free" in words
        assert "No usage" not in words


def test_an_administrator_sees_all_projects_together(pages: PageClient) -> None:
    rate(pages.parts.storage, "1", "2.5")
    assert "Costs of all projects" in pages.get("/dashboard/costs", **MARCH).words
    assert "3.50" in pages.get("/dashboard/costs", **MARCH).words


def test_an_administrator_reaches_one_price_from_all_projects(pages: PageClient) -> None:
    rate(pages.parts.storage, "1", "2.5")
    day = pages.get("/dashboard/resource", id="vm", begin="2026-03-01", end="2026-03-02")
    explained = pages.get(day.links["2.50"])
    assert "How this price is computed" in explained.words


def test_last_month_leads_to_its_days_until_the_same_point(pages: PageClient) -> None:
    begin = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
    # Until March 3.
    rate(pages.parts.storage, *["0.5"] * (30 * 24), begin=begin)
    page = pages.get("/dashboard/overview", scope="p1")
    figures = {
        title.text: figure.select_one("a[href]")
        for figure in page.content.select(".figure")
        if (title := figure.select_one(".title")) is not None
    }
    totals = {
        "This month so far": "24.00",
        "Last month to the same point": "24.00",
        "Last month": "336.00",
    }
    for name, total in totals.items():
        link = figures[name]
        assert link is not None
        assert link.text == total
        shown = pages.get(str(link["href"])).content.select_one(".figure data.money")
        assert shown is not None
        assert shown.text == total
    forecast = figures["Expected at the end"]
    assert forecast is not None
    assert forecast.text == "372.00"
    assert "the same this month" in page.words


def test_pages_of_a_project_lead_to_one_another(pages: PageClient) -> None:
    path = "/dashboard/overview?scope=p1"
    for title in ("Costs", "Resources", "Prices", "Ask for a price", "Overview"):
        path = pages.get(path).links[title]
        assert "scope=p1" in path
        assert "p1" in pages.get(path).words
    assert "Ask for a price" not in pages.get("/dashboard/costs").links


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_days_have_as_many_hours_as_clocks_show(
    build: Build, day: datetime.date, hours: int
) -> None:
    pages = build(BERLIN)
    start = datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC) - 5 * HOUR
    rate(pages.parts.storage, *["1"] * 40, begin=start)
    response = pages.get(
        "/dashboard/costs", scope="p1", by="hour", begin=day, end=day + datetime.timedelta(days=1)
    )
    times = [row[0] for row in response.rows if row[0].startswith("2026")]
    assert len(times) == len(set(times)) == hours
    assert response.rows[-1][1] == f"{hours}.00"
    assert "Europe/Berlin" in response.words
    if day == AUTUMN:
        assert {f"{day} 02:00 CEST", f"{day} 02:00 CET"} <= set(times)
    resource = pages.get(
        "/dashboard/resource", scope="p1", id="vm", begin=day, end=day + datetime.timedelta(days=1)
    )
    assert len(resource.content.select(".scroll time")) == hours


def test_days_begin_by_the_clock_of_the_zone(build: Build) -> None:
    begin = datetime.datetime(2026, 3, 9, 22, tzinfo=datetime.UTC)
    for zone, titles in {"UTC": ["2026-03-09", "2026-03-10"], "Asia/Tokyo": ["2026-03-10"]}.items():
        pages = build(f"dashboard_zone = {zone}\n")
        if zone == "UTC":
            rate(pages.parts.storage, "1", "1", "1", begin=begin)
        response = pages.get("/dashboard/costs", scope="p1", begin="2026-03-09", end="2026-03-12")
        rows = [row[0] for row in response.rows if row[1] not in ("0.00", "")]
        assert [row for row in rows if row.startswith("2026")] == titles


def test_money_has_the_currency_and_all_digits_in_the_title(build: Build) -> None:
    pages = build("[rating]\ncurrency = EUR\ndecimals = 3\n")
    rate(pages.parts.storage, "1234.56789", "0.00001")
    response = pages.get("/dashboard/costs", scope="p1", **MARCH)
    figure = response.content.select_one(".figure data.money")
    assert figure is not None
    assert (figure.text, figure["title"]) == ("1,234.568 EUR", "1234.5679")
    assert "Cost (EUR)" in response.rows[0]


def test_rounded_rows_that_do_not_add_up_are_explained(pages: PageClient) -> None:
    rate(pages.parts.storage, "0.004", "0.004", "0.004")
    hours = pages.get("/dashboard/costs", scope="p1", by="hour", **MARCH)
    assert "rows may differ from their sum by up to 0.01" in hours.words
    assert (
        "rounded for display"
        not in pages.get("/dashboard/costs", scope="p1", by="month", **MARCH).words
    )


def test_hours_of_a_year_are_refused_with_a_way_out(pages: PageClient) -> None:
    response = pages.get(
        "/dashboard/costs", scope="p1", by="hour", begin="2026-01-01", end="2026-12-31"
    )
    assert response.status == 400
    assert "more than 745 hours; choose fewer days, or longer times" in response.words


@pytest.mark.parametrize("by", ["scope", "period", "year"])
def test_keys_that_pages_have_no_words_for_are_refused(pages: PageClient, by: str) -> None:
    assert pages.get("/dashboard/costs", scope="p1", by=by).status == 400


def test_an_unknown_label_is_named(pages: PageClient) -> None:
    rate(pages.parts.storage, "1")
    words = pages.get("/dashboard/costs", scope="p1", by="colour", **MARCH).words
    assert "None of this usage has a label “colour”" in words


def test_names_are_escaped_everywhere(pages: PageClient) -> None:
    storage = pages.parts.storage
    name = "<script>alert(1)</script>\"'>"
    series = build_series(
        "p1", [("1", "2")], metric=name, unit=name, labels={"id": name}, metadata={"name": name}
    )
    storage.ledger.commit(batch(list_scopes(storage, "p1"), series, metrics=(name,)))
    asked: Mapping[str, Mapping[str, Any]] = {
        "overview": {},
        "costs": {"by": "id", **MARCH},
        "resources": {"search": name[:5], **MARCH},
        "resource": {"id": name, **MARCH},
        "explain": {"metric": name, "id": name, "begin": "2026-03-01"},
    }
    for path, query in asked.items():
        response = pages.get(f"/dashboard/{path}", scope="p1", **query)
        assert response.status == 200, path
        assert not response.document.find_all("script"), path
        assert "<script>alert(1)</script>" in response.words, path


def test_resources_are_searched_and_paged(pages: PageClient) -> None:
    storage = pages.parts.storage
    series = [
        build_series("p1", [("1", f"{number}")], labels={"id": f"vm-{number}"})
        for number in range(1, 61)
    ]
    storage.ledger.commit(batch(list_scopes(storage, "p1"), *series))
    query: dict[str, Any] = {"scope": "p1", **MARCH}
    first = pages.get("/dashboard/resources", **query)
    assert len(first.content.select(".scroll tbody tr")) == 50
    assert "1 to 50 of 60" in first.words
    second = pages.get(first.links["Next"])
    assert "51 to 60 of 60" in second.words
    assert second.content.select(".scroll tbody th")[-1].text == "vm-1"
    found = pages.get("/dashboard/resources", search="VM-6", **query)
    assert [row[0] for row in found.rows[1:]] == ["vm-60", "vm-6"]
    missing = pages.get("/dashboard/resources", search="x", **query)
    assert "No such resource" in missing.words


def test_resources_without_names_have_their_ids_once(pages: PageClient) -> None:
    storage = pages.parts.storage
    nameless = build_series("p1", [("1", "2")], labels={"id": "vm-1"})
    named = build_series("p1", [("1", "1")], labels={"id": "vm-2"}, metadata={"name": "web"})
    storage.ledger.commit(batch(list_scopes(storage, "p1"), nameless, named))
    query: dict[str, Any] = {"scope": "p1", **MARCH}
    assert pages.get("/dashboard/resources", **query).rows == [
        ["Resource", "Cost", "ID", "Metrics"],
        ["vm-1", "2.00", "", "instance"],
        ["web", "1.00", "vm-2", "instance"],
    ]
    assert pages.get("/dashboard/resources", search="vm-1", **query).rows == [
        ["Resource", "Cost", "Metrics"],
        ["vm-1", "2.00", "instance"],
    ]


def test_a_changed_label_is_shown_with_its_times(pages: PageClient) -> None:
    storage = pages.parts.storage
    series = [
        build_series("p1", [("1", "1")] * 2, labels={"id": "vm"}, metadata={"flavor": "small"}),
        build_series(
            "p1", [("1", "3")], labels={"id": "vm"}, metadata={"flavor": "large"}, begin=hour(2)
        ),
    ]
    usage = batch(list_scopes(storage, "p1"), *series, periods=window(3))
    storage.ledger.commit(usage)
    rows = pages.get("/dashboard/resource", scope="p1", id="vm", **MARCH).rows
    head = rows.index(["Metric", "From", "Until", "flavor", "Cost"])
    times = ["2026-03-01 00:00 UTC", "2026-03-01 02:00 UTC", "2026-03-01 03:00 UTC"]
    assert rows[head + 1 : head + 3] == [
        ["instance", *times[:2], "small", "2.00"],
        ["instance", *times[1:], "large", "3.00"],
    ]


def test_formulas_of_names_are_text_in_a_csv(pages: PageClient) -> None:
    storage = pages.parts.storage
    series = build_series("p1", [("1", "2")], labels={"id": "=1+1"})
    storage.ledger.commit(batch(list_scopes(storage, "p1"), series))
    for path in ("resources", "resource"):
        id_ = "=1+1" if path == "resource" else None
        csv = pages.get(f"/dashboard/{path}", scope="p1", format="csv", id=id_, **MARCH).csv
        cells = [cell for row in csv for cell in row]
        assert "'=1+1" in cells
        assert "=1+1" not in cells


def test_many_hours_have_pages_with_the_sum_of_all(pages: PageClient) -> None:
    rate(pages.parts.storage, *["1"] * 250)
    first = pages.get("/dashboard/costs", scope="p1", by="hour", **MARCH)
    second = pages.get(first.links["Next"])
    assert "1 to 200 of 250" in first.words
    assert "201 to 250 of 250" in second.words
    assert first.rows[-1][1] == second.rows[-1][1] == "250.00"
    assert len(first.rows) + len(second.rows) == 250 + 2 + 2
