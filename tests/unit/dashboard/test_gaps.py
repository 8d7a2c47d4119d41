"""Gaps, exclusions and silence: of all projects, and each period of one."""

from __future__ import annotations

import pytest

from tests.api_client import NOW
from tests.contract.given import hour
from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import SCRIPT

PATH = "/dashboard/gaps"
COVERAGE = "/dashboard/coverage"


class TestAll:
    def test_what_keeps_projects_from_being_charged_is_listed(self, cloud: PageClient) -> None:
        rows = [row[:4] for row in cloud.get(PATH).rows[1:]]
        assert rows == [
            ["gamma", "gap", "all", "1"],
            [SCRIPT, "excluded", "volume.size", "1"],
            ["delta", "silent", "volume.size", "1"],
        ]

    def test_a_gap_has_the_times_of_the_command(self, cloud: PageClient, ratekit: Shell) -> None:
        (gap,) = ratekit("scope", "show", "c", "--periods", "348", "-f", "json").json()["Gaps"]
        line = cloud.get(PATH, kind="gap", format="csv").csv[1]
        assert [text.replace("+00:00", "Z") for text in line[5:]] == [gap["begin"], gap["end"]]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("kind=gap", ["gamma"]),
            ("metric=volume.size", [SCRIPT, "delta"]),
            ("kind=silent&metric=instance", []),
            ("begin=2026-03-01&end=2026-03-03", []),
            ("begin=2026-03-05&end=2026-03-06", ["gamma"]),
        ],
    )
    def test_they_are_selected(self, cloud: PageClient, query: str, names: list[str]) -> None:
        response = cloud.get(f"{PATH}?{query}")
        assert [row[0] for row in response.rows[1:]] == names
        assert ("No interruption in this time" in response.words) == (not names)

    def test_they_are_a_timeline(self, cloud: PageClient) -> None:
        chart = cloud.get(PATH).content.find("figure")
        assert chart is not None
        titles = [title.get_text() for title in chart.select("rect title")]
        assert "gamma: gap, 2026-03-05 04:00 to 2026-03-06 00:00" in titles

    def test_each_leads_to_the_periods_of_its_project(self, cloud: PageClient) -> None:
        response = cloud.get(cloud.get(PATH).links["gamma"])
        assert response.status == 200
        assert "Periods of gamma" in response.words


class TestOne:
    def test_periods_are_those_of_the_command(self, cloud: PageClient, ratekit: Shell) -> None:
        fields = ratekit("scope", "show", "d", "--periods", "348", "-f", "json").json()
        expected: dict[tuple[str, str], int] = {}
        for row in fields["Last periods"]:
            for period in row["periods"]:
                key = row["metric"], period["state"]
                if period["begin"] >= "2026-03-01":
                    expected[key] = expected.get(key, 0) + 1
        response = cloud.get(COVERAGE, scope="d", begin="2026-03-01", end="2026-03-15")
        table = response.content.find("table")
        assert table is not None
        heads = [head.get_text() for head in table.select("thead th")][1:]
        shown = {
            (row.select("th")[0].get_text(), head): int(cell.get_text())
            for row in table.select("tbody tr")
            for head, cell in zip(heads, row.select("td"), strict=True)
        }
        assert shown["instance", "usage"] == 14 * 24
        until = 14 * 24 - 300
        assert shown["volume.size", "silent"] == until
        assert expected["volume.size", "silent"] == until + 11

    def test_all_states_have_a_meaning_and_a_text(self, cloud: PageClient) -> None:
        response = cloud.get(COVERAGE, scope="c", begin="2026-02-28", end="2026-03-16")
        meanings = [tag.get_text() for tag in response.content.select(".meanings dt")]
        assert meanings == ["usage", "gap", "not rated yet", "before"]
        details = response.content.find("details")
        assert details is not None
        rows = [
            [cell.get_text() for cell in row.find_all(["th", "td"])]
            for row in details.select("tbody tr")
        ]
        assert ["instance", "gap", "2026-03-05 04:00 UTC", "2026-03-06 00:00 UTC", "0"] in rows
        assert ["instance", "usage", "2026-03-01 00:00 UTC", "2026-03-05 04:00 UTC", "100"] in rows

    def test_the_csv_has_each_span(self, cloud: PageClient) -> None:
        lines = cloud.get(COVERAGE, scope="c", format="csv").csv
        assert [
            "instance",
            "gap",
            "2026-03-05T04:00:00+00:00",
            "2026-03-06T00:00:00+00:00",
            "0",
        ] in (lines)

    def test_purged_time_is_no_silence(self, cloud: PageClient) -> None:
        storage = cloud.parts.storage
        for task, _ in storage.tasks.tasks():
            storage.tasks.cancel(task.id, NOW)
        storage.purge.start(hour(12 * 24), totals=True)
        list(storage.purge.remove(10_000))
        response = cloud.get(COVERAGE, scope="d", begin="2026-03-01", end="2026-03-10")
        meanings = [tag.get_text() for tag in response.content.select(".meanings dt")]
        assert meanings == ["purged"]

    def test_exclusions_have_reason_and_remedy(self, cloud: PageClient) -> None:
        response = cloud.get(COVERAGE, scope="a")
        assert [row for row in response.rows if row[0] == SCRIPT and row[4:]] == [
            [SCRIPT, "volume.size", "2026-03-13 12:00 UTC", "2026-03-15 11:00 UTC",
             f"bad {SCRIPT}", "replace it"],
        ]  # fmt: skip

    def test_the_time_to_come_is_left_out(self, cloud: PageClient) -> None:
        lines = cloud.get(COVERAGE, scope="a", format="csv").csv
        assert max(line[3] for line in lines[1:]) == "2026-03-15T13:00:00+00:00"

    def test_usage_leads_to_its_costs(self, cloud: PageClient) -> None:
        links = cloud.get(COVERAGE, scope="d").content.select("svg a")
        assert all("/dashboard/costs?scope=d&metric=" in str(link["href"]) for link in links)
        assert links

    def test_an_unknown_project_does_not_exist(self, cloud: PageClient) -> None:
        assert cloud.get(COVERAGE, scope="<b>").status == 404

    def test_too_many_periods_are_refused(self, cloud: PageClient) -> None:
        cloud.replace(limits=cloud.parts.limits)
        response = cloud.get(COVERAGE, scope="d", begin="2024-06-01", end="2026-03-15")
        assert response.status == 400
