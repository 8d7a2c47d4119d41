"""Pages of price rules: which are in force, each through time, and who changed them."""

from __future__ import annotations

import pytest

from tests.api_client import NOW
from tests.contract.given import HOUR
from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import SCRIPT

PATH = "/dashboard/rules"


def test_there_may_be_no_rule(pages: PageClient) -> None:
    assert "There is no price rule" in pages.get(PATH).words
    assert "The price rules were never changed" in pages.get(f"{PATH}/history").words


@pytest.mark.parametrize(
    ("stage", "matches"),
    [
        ("in force", ["flavor_name = m1"]),
        ("scheduled", ["flavor_name = m2"]),
        ("past", [f"flavor_name = {SCRIPT}", "flavor_name = m1"]),
    ],
)
def test_rules_by_their_stage(cloud: PageClient, stage: str, matches: list[str]) -> None:
    response = cloud.get(PATH, stage=stage)
    assert [row[1] for row in response.rows[1:]] == matches
    assert {"1 in force", "1 scheduled", "2 past"} <= response.links.keys()


def test_time_puts_a_rule_into_force(cloud: PageClient) -> None:
    cloud.replace(clock=lambda: NOW + 300 * HOUR)
    assert [row[1] for row in cloud.get(PATH).rows[1:]] == ["flavor_name = m1", "flavor_name = m2"]


def test_a_rule_has_cost_times_and_maker(cloud: PageClient) -> None:
    (row,) = cloud.get(PATH).rows[1:]
    assert row[:4] == ["instance", "flavor_name = m1", "0.2", "flat"]
    assert row[5:] == ["all", "2026-03-06 00:00 UTC no end", "bob 2026-03-05 23:30 UTC"]


def test_a_rule_leads_to_its_line_through_time(cloud: PageClient) -> None:
    response = cloud.get(cloud.get(PATH).links["flavor_name = m1"])
    assert "A rule through time: instance, flavor_name = m1" in response.words
    assert [row[2] for row in response.rows[1:]] == ["0.2", "0.1"]
    assert [row[7].split()[0] for row in response.rows[1:]] == ["bob", "ann"]


@pytest.mark.parametrize(("word", "count"), [("M1", 1), ("script", 1), ("zzz", 0)])
def test_rules_are_searched(cloud: PageClient, word: str, count: int) -> None:
    response = cloud.get(PATH, stage="past", search=word)
    assert len(response.rows[1:]) == count
    assert ("No rule fits" in response.words) == (not count)


def test_the_csv_has_all_digits_and_columns(cloud: PageClient) -> None:
    heads, line = cloud.get(PATH, format="csv").csv
    row = dict(zip(heads, line, strict=True))
    assert (row["metric"], row["label"], row["value"]) == ("instance", "flavor_name", "m1")
    assert (row["cost"], row["state"], row["made by"]) == ("0.2", "in force", "bob")


class TestHistory:
    def test_changes_are_those_of_the_command(self, cloud: PageClient, ratekit: Shell) -> None:
        expected = ratekit("hashmap", "history", "-f", "json").json()
        lines = cloud.get(f"{PATH}/history", format="csv").csv
        shown = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        for row, command in zip(shown, expected, strict=True):
            assert int(row["version"]) == command["Version"]
            assert row["made at"].replace("+00:00", "Z") == command["Made at"]
            assert row["made by"] == command["Made by"]
            assert row["from"] == command["From"]
            assert (int(row["opened"]), int(row["closed"])) == (
                command["Opened"],
                command["Closed"],
            )
            assert row["comment"] == command["Comment"]

    def test_a_change_leads_to_its_rules(self, cloud: PageClient, ratekit: Shell) -> None:
        expected = ratekit("hashmap", "history", "2", "-f", "json").json()
        link = cloud.get(f"{PATH}/history").content.select('th[scope="row"] a')[0]
        assert link.get_text() == "2"
        response = cloud.get(str(link["href"]))
        marks = {"-": "closed", "+": "opened"}
        assert response.rows[1:] == [[marks[row["Change"]], row["Rule"]] for row in expected]
        assert f"Comment {SCRIPT}" in response.words

    @pytest.mark.parametrize("version", ["9", "0", "x"])
    def test_other_versions_are_no_changes(self, cloud: PageClient, version: str) -> None:
        response = cloud.get(f"{PATH}/change", version=version)
        assert response.status in (400, 404)
        if response.status == 404:
            assert f"Change '{version}' not found." in response.words
