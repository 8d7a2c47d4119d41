"""The page of projects has the numbers of ``scope list`` and ``summary``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from ratekit.dashboard.pages.projects import find_previous
from ratekit.domain.period import Period
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.scope import Scope
from tests.api_client import NOW
from tests.contract.given import hour, statements
from tests.page_client import PageClient, PageResponse
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import NAMES, SCRIPT
from tests.unit.dashboard.page_numbers import require_links

PATH = "/dashboard/projects"


def names(response: PageResponse) -> list[str]:
    """Return the names of the projects, in the order of the page."""
    return [str(cell.get_text()) for cell in response.content.select('tbody th[scope="row"] a')]


def costs(response: PageResponse) -> Mapping[str, Decimal]:
    """Return what each project costs in the range, with all digits."""
    return {
        str(row.select_one("th a").get_text()): Decimal(str(row.select("data")[0]["value"]))  # type: ignore[union-attr]
        for row in response.content.select("tbody tr")
    }


def read_costs(ratekit: Shell, *arguments: str) -> Mapping[str, Decimal]:
    """Return what the command says, by the name of the project."""
    rows = ratekit("summary", "--groupby", "scope", "-f", "json", *arguments).json()
    return {NAMES[row["Scope"]]: Decimal(str(row["Price"])) for row in rows}


class TestNumbers:
    def test_costs_of_this_month_are_those_of_summary(
        self, cloud: PageClient, ratekit: Shell
    ) -> None:
        response = cloud.get(PATH)
        assert costs(response) == read_costs(ratekit, "--month", "2026-03")
        assert all(costs(response).values())

    def test_costs_of_a_range_are_those_of_summary(self, cloud: PageClient, ratekit: Shell) -> None:
        begin, end = "2026-03-03", "2026-03-05"
        response = cloud.get(PATH, begin=begin, end=end)
        assert costs(response) == read_costs(ratekit, "--begin", begin, "--end", end)
        before = [
            str(row.select("data")[1]["value"]) for row in response.content.select("tbody tr")
        ]
        expected = read_costs(ratekit, "--begin", "2026-03-01", "--end", begin)
        assert [Decimal(text) for text in before] == [expected[name] for name in names(response)]

    def test_states_and_lags_are_those_of_scope_list(
        self, cloud: PageClient, ratekit: Shell
    ) -> None:
        expected = {
            row["Scope"]: (row["Rated until"], row["Lag"])
            for row in ratekit("scope", "list", "-f", "json").json()
        }
        lines = cloud.get(PATH, format="csv").csv
        assert {
            line[0]: (line[3].replace("+00:00", "Z"), int(line[4])) for line in lines[1:]
        } == expected

    def test_the_csv_has_all_digits(self, cloud: PageClient) -> None:
        lines = cloud.get(PATH, format="csv").csv
        assert {NAMES[line[0]]: Decimal(line[5]) for line in lines[1:]} == costs(cloud.get(PATH))


class TestOrder:
    def test_by_name_as_scope_list_does(self, cloud: PageClient) -> None:
        assert names(cloud.get(PATH)) == [SCRIPT, "beta", "delta", "epsilon", "gamma"]

    def test_by_cost_the_dearest_first(self, cloud: PageClient) -> None:
        response = cloud.get(PATH, order="cost")
        values = list(costs(response).values())
        assert values == sorted(values, reverse=True)
        assert names(response)[0] == "epsilon"

    def test_by_lag_the_slowest_first(self, cloud: PageClient) -> None:
        assert names(cloud.get(PATH, order="lag"))[:2] == ["beta", "epsilon"]

    def test_an_unknown_order_is_refused(self, cloud: PageClient) -> None:
        assert cloud.get(PATH, order="price").status == 400


class TestSearch:
    @pytest.mark.parametrize(("word", "expected"), [("ELT", ["delta"]), ("c", [SCRIPT, "gamma"])])
    def test_a_part_of_name_or_id(self, cloud: PageClient, word: str, expected: list[str]) -> None:
        assert names(cloud.get(PATH, search=word)) == expected

    def test_nothing_fits(self, cloud: PageClient) -> None:
        response = cloud.get(PATH, search="zzz")
        assert (response.status, "No project fits" in response.words) == (200, True)

    def test_the_form_keeps_what_was_asked(self, cloud: PageClient) -> None:
        response = cloud.get(PATH, search='x"><b>', state="late", order="lag")
        assert response.field("search") == 'x"><b>'
        selected = [tag["value"] for tag in response.content.select("option[selected]")]
        assert selected == ["late", "lag"]

    def test_only_one_state(self, cloud: PageClient) -> None:
        assert names(cloud.get(PATH, state="failing")) == ["beta"]
        assert names(cloud.get(PATH, state="late")) == ["epsilon"]


class TestPages:
    def test_each_project_is_on_one_page(self, cloud: PageClient) -> None:
        link: str | None = f"{PATH}?limit=2&order=cost"
        found: list[str] = []
        while link is not None:
            response = cloud.get(link)
            found += names(response)
            link = response.links.get("Next")
        assert sorted(found) == sorted(NAMES.values())
        assert len(found) == 5

    def test_back_leads_to_the_page_before(self, cloud: PageClient) -> None:
        second = cloud.get(f"{PATH}?limit=2&offset=2")
        assert "3 to 4 of 5 projects" in second.words
        assert names(cloud.get(second.links["Previous"])) == [SCRIPT, "beta"]

    @pytest.mark.parametrize("limit", ["0", "1001", "x"])
    def test_a_page_has_a_limit(self, cloud: PageClient, limit: str) -> None:
        assert cloud.get(PATH, limit=limit).status == 400


def test_a_project_leads_to_its_pages(cloud: PageClient) -> None:
    (row,) = cloud.get(PATH, search="delta").content.select("tbody tr")
    links = [str(link["href"]) for link in row.find_all("a")]
    assert links[0] == "/dashboard/overview?scope=d"
    assert links[1:3] == ["/dashboard/coverage?scope=d"] * 2
    assert links[3].startswith("/dashboard/costs?scope=d&begin=2026-03-01")


def test_an_error_is_told_in_the_list(cloud: PageClient) -> None:
    assert f"Gnocchi answered {SCRIPT}" in cloud.get(PATH, search="beta").words


def test_the_currency_is_that_of_the_options(cloud: PageClient) -> None:
    assert "EUR" not in cloud.get(PATH).words
    cloud.parts.conf.set_override("currency", "EUR", "rating")
    assert "EUR" in cloud.get(PATH).words


def test_costs_of_one_metric(cloud: PageClient, ratekit: Shell) -> None:
    rows = ratekit(
        *("summary", "--groupby", "scope", "--metric", "volume.size"),
        *("-f", "json", "--month", "2026-03"),
    ).json()
    expected = {NAMES[row["Scope"]]: Decimal(str(row["Price"])) for row in rows}
    response = cloud.get(PATH, metric="volume.size", order="cost")
    assert {name: price for name, price in costs(response).items() if price} == expected
    assert list(costs(response).values()) == sorted(expected.values(), reverse=True)
    assert response.words.count("Costs of volume.size from") == 1
    (link,) = response.content.select('tbody tr:first-child td[data-title="Cost"] a')
    assert "metric=volume.size" in str(link["href"])


def test_the_total_is_of_all_pages(cloud: PageClient) -> None:
    prices = costs(cloud.get(PATH, order="cost"))
    page = cloud.get(PATH, order="cost", limit=2)
    (total,) = page.content.select(".figure data")
    assert Decimal(str(total["value"])) == add_up(prices.values())
    search = cloud.get(PATH, order="cost", search="beta")
    assert require_links(PATH, search) == {("projects", "Total")}
    (total,) = search.content.select(".figure data")
    assert Decimal(str(total["value"])) == prices["beta"]
    # Without an order by cost it would take too long.
    assert cloud.get(PATH).content.select(".figure") == []


class TestPrevious:
    def test_of_a_month_it_is_the_month_before(self) -> None:
        utc = hour(0).tzinfo
        assert utc is not None
        march, april = hour(0), hour(31 * 24)
        assert find_previous(march, april, utc) == Period(hour(-28 * 24), march)

    def test_of_other_ranges_it_is_as_long(self) -> None:
        utc = hour(0).tzinfo
        assert utc is not None
        for begin, end in ((0, 24), (24, 31 * 24), (0, 62 * 24), (0, 61 * 24)):
            expected = Period(hour(begin - (end - begin)), hour(begin))
            assert find_previous(hour(begin), hour(end), utc) == expected


def test_a_page_reads_the_costs_of_its_projects_alone(cloud: PageClient) -> None:
    with statements() as sent:
        cloud.get(PATH, limit=2)
    assert len([statement for statement in sent if "daily_totals" in statement]) == 2
    with statements() as sent:
        cloud.get(PATH, limit=2, order="cost")
    # Those of all projects are shown, too.
    assert len([statement for statement in sent if "daily_totals" in statement]) == 2


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "@SUM(A1)", "-1+1"])
def test_a_name_is_no_formula_for_spreadsheets(cloud: PageClient, name: str) -> None:
    scopes = [Scope("a", name), *(Scope(id_, NAMES[id_]) for id_ in "bcde")]
    cloud.parts.storage.ledger.observe(scopes, NOW, hour(0), NOW)
    lines = cloud.get(PATH, search=name, format="csv").csv
    assert [line[:2] for line in lines[1:]] == [["a", f"'{name}"]]
