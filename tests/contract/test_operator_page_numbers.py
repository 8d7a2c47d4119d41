"""What operators' pages show is what the commands print, to the last digit, on every database."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from ratekit.cmd import ratekit as command
from ratekit.domain.reporting.bill import add_up
from tests.page_client import PageClient, PageResponse
from tests.unit.dashboard.cloud import fill

Run = Callable[..., Any]

#: Days of Berlin, which start in the UTC day before.
RANGE: Mapping[str, Any] = {"begin": "2026-03-03", "end": "2026-03-09"}
_OPTIONS = ("--begin", RANGE["begin"], "--end", RANGE["end"], "--timezone", "Europe/Berlin")


@pytest.fixture
def pages(tmp_path: pathlib.Path, url: str) -> PageClient:
    """Return a client of the pages over a cloud with all that goes wrong."""
    client = PageClient(tmp_path, url, "dashboard_zone = Europe/Berlin\n")
    fill(client.parts.storage)
    return client


@pytest.fixture
def run(tmp_path: pathlib.Path, pages: PageClient, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command and parses its JSON."""

    def run_command(*words: str) -> Any:
        tool = command.Ratekit(clock=pages.parts.clock)
        argv = ["--config-file", str(tmp_path / "ratekit.conf"), *words, "-f", "json"]
        command.main(argv, tool)
        return json.loads(capsys.readouterr().out)

    return run_command


def exported(response: PageResponse) -> list[dict[str, str]]:
    """Return the rows of a CSV by the names of its columns."""
    assert response.status == 200, response.text
    heads, *lines = response.csv
    return [dict(zip(heads, line, strict=True)) for line in lines]


@pytest.mark.parametrize("order", ["name", "cost", "lag"])
def test_projects(pages: PageClient, run: Run, order: str) -> None:
    rows = run("summary", "--groupby", "scope", *_OPTIONS)
    states = {row["Scope"]: row for row in run("scope", "list", "--all")}
    shown = exported(pages.get("/dashboard/projects", order=order, format="csv", **RANGE))
    assert {row["scope"]: Decimal(row["cost"]) for row in shown} == {
        row["Scope"]: Decimal(row["Price"]) for row in rows
    }
    assert [states[row["scope"]]["Lag"] for row in shown] == [int(row["lag in s"]) for row in shown]
    if order == "cost":
        values = [Decimal(row["cost"]) for row in shown]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_costs_of_all(pages: PageClient, run: Run, by: str) -> None:
    rows = run("summary", "--groupby", f"{by},metric", *_OPTIONS)
    shown = exported(pages.get("/dashboard/totals", by=by, format="csv", **RANGE))
    prices = [Decimal(row["Price"]) for row in rows]
    assert [Decimal(row["cost"]) for row in shown] == prices
    page = pages.get("/dashboard/totals", by=by, **RANGE)
    (total,) = page.content.select(".figure data")
    assert Decimal(str(total["value"])) == add_up(prices)


def test_interruptions_and_periods(pages: PageClient, run: Run) -> None:
    fields = run("scope", "show", "c", "--periods", "348")
    (gap,) = exported(pages.get("/dashboard/gaps", kind="gap", format="csv"))
    times = [gap[name].replace("+00:00", "Z") for name in ("begin", "end")]
    assert times == [fields["Gaps"][0][name] for name in ("begin", "end")]
    (excluded,) = exported(pages.get("/dashboard/gaps", kind="excluded", format="csv"))
    (exclusion,) = run("scope", "show", "a", "--periods", "348")["Exclusions"]
    assert (excluded["scope"], excluded["end"]) == ("a", "")
    assert excluded["begin"].replace("+00:00", "Z") == exclusion["begin"]
    spans = exported(
        pages.get(
            "/dashboard/coverage", scope="c", begin="2026-02-28", end="2026-03-16", format="csv"
        )
    )
    periods = {row["metric"]: row["periods"] for row in fields["Last periods"]}
    for metric, cells in periods.items():
        frames = sum(int(row["frames"]) for row in spans if row["metric"] == metric)
        assert frames == sum(cell["points"] for cell in cells)


def test_tasks(pages: PageClient, run: Run) -> None:
    rows = run("reprocess", "list", "--all")[::-1]
    shown = exported(pages.get("/dashboard/tasks", format="csv"))
    assert [(int(row["task"]), Decimal(row["difference"])) for row in shown] == [
        (row["Task"], Decimal(row["Difference"])) for row in rows
    ]


def test_rules(pages: PageClient, run: Run) -> None:
    rows = run("hashmap", "history")
    shown = exported(pages.get("/dashboard/rules/history", format="csv"))
    assert [(int(row["version"]), row["made by"]) for row in shown] == [
        (row["Version"], row["Made by"]) for row in rows
    ]


def test_a_planned_file(pages: PageClient, run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("services: {instance: {mappings: [{cost: '0.123456789', type: flat}]}}")
    options = ("--since", "2026-03-04T23:00:00Z", "--allow-unknown", "--allow-free")
    rows = run("hashmap", "plan", str(path), *options)["what_if"]
    fields = {"since": "2026-03-05", "allow_unknown": "on", "allow_free": "on", "format": "csv"}
    upload = (path.name, path.read_bytes())
    shown = exported(pages.post("/dashboard/plan", {"file": upload, **fields}))
    assert {(row["scope"], row["metric"]): Decimal(row["new cost"]) for row in shown} == {
        (row["scope"], row["metric"]): Decimal(row["new_price"]) for row in rows
    }


def test_status(pages: PageClient, run: Run) -> None:
    fields = run("status")
    shown = exported(pages.get("/dashboard/status", format="csv"))
    assert [(row["kind"], row["subject"], row["reason"]) for row in shown] == [
        (issue["kind"], issue["subject"], issue["reason"])
        for issue in (*fields["Problems"], *fields["Notes"])
    ]
