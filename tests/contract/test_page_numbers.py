"""The numbers on pages are those of ``ratekit summary``, to the last digit, on every database."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import pathlib
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ratekit.cmd import ratekit as command
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.series import RatedSeries
from tests.contract.conftest import Open
from tests.contract.given import HOUR, batch, build_series, list_scopes, window
from tests.contract.test_statement import BusyReports
from tests.page_client import PageClient, PageResponse

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: Of the test's data; in the night to March 29 clocks go forward.
BEGIN = datetime.datetime(2026, 3, 27, tzinfo=datetime.UTC)
HOURS = 75
#: The zone's days around them.
RANGE: Mapping[str, Any] = {"begin": "2026-03-26", "end": "2026-04-02"}
_SCOPES = itertools.count()
Run = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Usage:
    """A series of hours."""

    metric: str
    resource: str | None
    name: str | None
    flavor: str | None
    begin: int
    pairs: Sequence[tuple[str, str]]

    def build(self, scope: str) -> RatedSeries:
        labels = {} if self.resource is None else {"id": self.resource}
        return build_series(
            scope,
            self.pairs,
            metric=self.metric,
            unit=f"unit of {self.metric}",
            begin=BEGIN + self.begin * HOUR,
            labels=labels,
            metadata={"display_name": self.name, "flavor": self.flavor},
        )


def numbers(places: int) -> st.SearchStrategy[str]:
    whole = st.integers(0, 10**6).map(str)
    return st.one_of(whole, st.decimals(0, 10**6, places=places).map(str))


USAGES = st.lists(
    st.builds(
        Usage,
        st.sampled_from(["instance", "volume", "ip"]),
        st.sampled_from([None, "r1", "R1", "r2"]),
        st.sampled_from([None, "web", "shop <b>"]),
        st.sampled_from([None, "", "small", "large"]),
        st.integers(0, HOURS - 12),
        st.lists(st.tuples(numbers(18), numbers(28)), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
    # No two frames of one period may have the same labels.
    unique_by=lambda usage: (usage.metric, usage.resource, usage.name, usage.flavor),
)


@pytest.fixture
def pages(tmp_path: pathlib.Path, url: str) -> PageClient:
    return PageClient(tmp_path, url, "dashboard_zone = Europe/Berlin\n")


@pytest.fixture
def run(tmp_path: pathlib.Path, pages: PageClient, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command and parses its JSON."""

    def run_command(*words: str) -> Any:
        tool = command.Ratekit(clock=pages.parts.clock)
        argv = ["--config-file", str(tmp_path / "ratekit.conf"), *words, "-f", "json"]
        assert command.main(argv, tool) == 0
        return json.loads(capsys.readouterr().out)

    return run_command


def rate(open_another: Open, usages: Sequence[Usage]) -> str:
    """Store usage of a new scope, and something of another; return the scope."""
    number = next(_SCOPES)
    scope, other = f"scope-{number}", f"other-{number}"
    storage = open_another()
    storage.ledger.commit(
        batch(
            list_scopes(storage, scope, other, now=BEGIN, start=BEGIN, resume=BEGIN),
            *(usage.build(scope) for usage in usages),
            *(usage.build(other) for usage in usages[:1]),
            periods=window(HOURS, BEGIN),
            metrics=("instance", "volume", "ip"),
        )
    )
    return scope


def summary(run: Run, scope: str, groupby: str) -> list[dict[str, Any]]:
    words = ["summary", "--scope", scope, "--groupby", groupby, "--timezone", "Europe/Berlin"]
    rows: list[dict[str, Any]] = run(*words, "--begin", RANGE["begin"], "--end", RANGE["end"])
    return rows


def money(response: PageResponse) -> list[list[Decimal]]:
    """Return all amounts of each row of a table, from their exact digits."""
    return [
        [Decimal(str(data["value"])) for data in row.select("data.money")]
        for row in response.content.select(".scroll tbody tr")
    ]


def total(response: PageResponse) -> Decimal:
    """Return the first figure."""
    data = response.content.select_one(".figure data.money")
    assert data is not None, response.text
    return Decimal(str(data["value"]))


def sums_of(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, Decimal]:
    """Return the price of each group."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        text = str(row[key])
        sums[text] = EXACT.add(sums.get(text, Decimal(0)), Decimal(row["Price"]))
    return sums


#: Few in each run, and not shrunk: each of them asks three databases many times.
examples = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(3, settings().max_examples // 200),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@examples
@given(usages=USAGES, by=st.sampled_from(["hour", "day", "week", "month", "metric", "flavor"]))
def test_costs(
    pages: PageClient, run: Run, open_another: Open, usages: Sequence[Usage], by: str
) -> None:
    scope = rate(open_another, usages)
    groupby = by if by == "metric" else f"{by},metric"
    rows = summary(run, scope, groupby)
    query: dict[str, Any] = {"scope": scope, "by": by, **RANGE}
    exported = pages.get("/dashboard/costs", format="csv", **query).csv
    prices = [Decimal(line[-1]) for line in exported[1:]]
    assert sorted(prices) == sorted(Decimal(row["Price"]) for row in rows)
    quantities = sorted(Decimal(line[-3]) for line in exported[1:])
    assert quantities == sorted(Decimal(row["Quantity"]) for row in rows)
    page = pages.get("/dashboard/costs", **query)
    assert page.status == 200
    whole = add_up(prices)
    assert total(page) == whole
    *lines, last = money(page)
    key = next(name for name in rows[0] if name.lower() == by)
    wanted = sums_of(rows, key).values()
    assert sorted(line[0] for line in lines if line[0]) == sorted(filter(None, wanted))
    assert last[0] == whole
    for line in lines:
        assert len(line) == 1 or add_up(line[1:]) == line[0]


@examples
@given(usages=USAGES, data=st.data())
def test_every_line_leads_to_what_it_consists_of(
    pages: PageClient, open_another: Open, usages: Sequence[Usage], data: st.DataObject
) -> None:
    scope = rate(open_another, usages)
    path = f"/dashboard/costs?by=month&scope={scope}&begin={RANGE['begin']}&end={RANGE['end']}"
    for _ in range(9):
        # A page's last column is of all metrics, and its last row of all lines.
        links = [
            (Decimal(str(number["value"])), str(link["href"]))
            for link in pages.get(path).content.select(".scroll tbody a[href]")
            for number in link.select("data.money")
        ]
        if path.startswith("/dashboard/explain"):
            return
        if not links:
            assert "No usage" in pages.get(path).words
            return
        for price, link in links:
            explained = pages.get(link)
            assert explained.status == 200
            shown = explained.content.select_one(".figure data.money")
            assert (Decimal(0) if shown is None else total(explained)) == price, link
        deeper = [link for _, link in links if link != path]
        path = data.draw(st.sampled_from(deeper))


@examples
@given(usages=USAGES, data=st.data())
def test_costs_of_all_projects_lead_to_what_they_consist_of(
    pages: PageClient, open_another: Open, usages: Sequence[Usage], data: st.DataObject
) -> None:
    rate(open_another, usages)
    path = f"/dashboard/totals?begin={RANGE['begin']}&end={RANGE['end']}"
    for _ in range(3):
        page = pages.get(path)
        links = [
            (Decimal(str(number["value"])), str(link["href"]))
            for part in (".figure", "tbody")
            for cell in page.content.select(part)
            for link in cell.select("a[href]:has(data.money)")[-4:]
            for number in link.select("data.money")
        ]
        for price, link in links:
            explained = pages.get(link)
            shown = explained.content.select_one(".figure data.money")
            assert (Decimal(0) if shown is None else total(explained)) == price, (path, link)
        path = data.draw(st.sampled_from([link for _, link in links if link != path]))
        if "scope=" in path:
            # The pages of one project have a test of their own.
            return


@examples
@given(usages=USAGES)
def test_resources_and_their_hours(
    pages: PageClient, run: Run, open_another: Open, usages: Sequence[Usage]
) -> None:
    scope = rate(open_another, usages)
    wanted = sums_of(summary(run, scope, "id"), "id")
    query: dict[str, Any] = {"scope": scope, **RANGE}
    page = pages.get("/dashboard/resources", **query)
    assert sorted(line[0] for line in money(page)) == sorted(wanted.values())
    assert [line[0] for line in money(page)] == sorted(wanted.values(), reverse=True)
    assert total(page) == add_up(wanted.values())
    for resource, price in wanted.items():
        id_ = None if resource == "None" else resource
        one = pages.get("/dashboard/resource", id=id_, **query)
        assert total(one) == price
        csv = pages.get("/dashboard/resource", id=id_, format="csv", **query).csv
        assert add_up(Decimal(line[4]) for line in csv[1:]) == price


@examples
@given(usages=USAGES)
def test_the_overview(
    pages: PageClient, run: Run, open_another: Open, usages: Sequence[Usage]
) -> None:
    scope = rate(open_another, usages)
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    pages.replace(clock=lambda: now)
    wanted = {
        row["Metric"]: Decimal(row["Price"])
        for row in run(
            *("summary", "--scope", scope, "--groupby", "metric", "--timezone", "Europe/Berlin"),
            *("--month", "2026-03"),
        )
    }
    page = pages.get("/dashboard/overview", scope=scope)
    assert total(page) == add_up(wanted.values())
    *metrics, whole = money(page)[: len(wanted) + 1]
    assert [line[0] for line in metrics] == sorted(wanted.values(), reverse=True)
    assert whole == [total(page)]
    for link in page.content.select(".figure a[href]"):
        number = link.select_one("data.money")
        assert number is not None
        if "Expected" not in link.find_parent(class_="figure").text:  # type: ignore[union-attr]
            shown = pages.get(str(link["href"])).content.select_one(".figure data.money")
            price = Decimal(0) if shown is None else Decimal(str(shown["value"]))
            assert price == Decimal(str(number["value"])), link


def make_busy(pages: PageClient, open_another: Open, scope: str) -> Sequence[datetime.datetime]:
    """Rate another hour, for 5, before each report; return a list that gets the hours."""
    storage = pages.parts.storage
    begins: list[datetime.datetime] = []

    def rate_another() -> None:
        begin = BEGIN + (HOURS + len(begins)) * HOUR
        begins.append(begin)
        series = build_series(scope, [("1", "5")], metric="volume", begin=begin)
        states = list_scopes(open_another(), scope, now=begin, start=BEGIN, resume=begin)
        storage.ledger.commit(batch(states, series, periods=window(1, begin), metrics=("volume",)))

    reports: Any = BusyReports(storage.reports, rate_another)
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    pages.replace(clock=lambda: now, storage=dataclasses.replace(storage, reports=reports))
    return begins


def test_the_overview_is_of_one_instant(pages: PageClient, open_another: Open) -> None:
    scope = rate(open_another, [Usage("instance", "r1", None, None, 0, [("1", "1")])])
    hours = make_busy(pages, open_another, scope)
    page = pages.get("/dashboard/overview", scope=scope)
    assert len(hours) > 3
    whole = total(page)
    lines = money(page)
    metrics = len(page.content.select("tbody")[0].select("tr")) - 1
    assert add_up(line[0] for line in lines[:metrics]) == whole
    assert lines[metrics] == [whole]
    assert add_up(line[0] for line in lines[metrics + 1 :]) == whole
    until = page.content.select(".figure .note")[0].get_text().removeprefix("rated until ")
    assert f"Not final: rated until {until}" in page.words


def test_the_costs_of_all_projects_are_of_one_instant(
    pages: PageClient, open_another: Open
) -> None:
    scope = rate(open_another, [Usage("instance", "r1", None, None, 0, [("1", "1")])])
    hours = make_busy(pages, open_another, scope)
    page = pages.get("/dashboard/totals", **RANGE)
    assert len(hours) > 1
    metrics, projects = page.content.select(".scroll tbody")
    for table in (metrics, projects):
        rows = table.select("tr:not(.total) data.money")
        assert add_up(Decimal(str(data["value"])) for data in rows) == total(page)
    page = pages.get("/dashboard/projects", order="cost", **RANGE)
    shown = page.content.select('td[data-title="Cost"] data')
    assert add_up(Decimal(str(data["value"])) for data in shown) == total(page)
    # A project is rated until the end of what it costs.
    (row,) = (row for row in page.content.select("tbody tr") if scope in row.get_text())
    until = datetime.datetime.fromisoformat(str(row.select("time")[0]["datetime"]))
    hours_after = (until - BEGIN) // HOUR - HOURS
    assert Decimal(str(row.select("data")[0]["value"])) == 1 + 5 * hours_after
