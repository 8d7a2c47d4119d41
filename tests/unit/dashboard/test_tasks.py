"""The pages of tasks have the numbers of ``reprocess list`` and ``reprocess show``."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import ERROR, SCRIPT

PATH = "/dashboard/tasks"


def test_there_may_be_no_task(pages: PageClient) -> None:
    assert "No task yet" in pages.get(PATH).words
    assert "No such task" in pages.get(PATH, state="done").words
    assert pages.get(f"{PATH}/1").status == 404


def test_tasks_are_those_of_the_command_the_newest_first(cloud: PageClient, ratekit: Shell) -> None:
    expected = ratekit("reprocess", "list", "--all", "-f", "json").json()[::-1]
    lines = cloud.get(PATH, format="csv").csv
    shown = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [int(row["task"]) for row in shown] == [row["Task"] for row in expected]
    for row, command in zip(shown, expected, strict=True):
        assert (row["scope"], int(row["periods"]), int(row["done"])) == (
            command["Scope"],
            command["Periods"],
            command["Done"],
        )
        assert Decimal(row["difference"]) == Decimal(str(command["Difference"]))


@pytest.mark.parametrize(
    ("state", "states"),
    [
        ("all", ["queued", "cancelled", "failing", "queued"]),
        ("open", ["queued", "failing", "queued"]),
        ("failing", ["failing"]),
        ("cancelled", ["cancelled"]),
        ("done", []),
    ],
)
def test_tasks_are_selected_by_their_state(
    cloud: PageClient, state: str, states: list[str]
) -> None:
    tags = cloud.get(PATH, state=state).content.select("td .tag")
    assert [tag.get_text() for tag in tags] == states


def test_progress_is_shown_as_a_bar_and_in_words(cloud: PageClient) -> None:
    content = cloud.get(PATH).content
    bars = [(bar["value"], bar["max"]) for bar in content.find_all("progress")]
    assert bars == [("0", "4"), ("0", "4"), ("0", "4"), ("3", "4")]
    assert "3 of 4 periods" in content.get_text()


def test_a_task_that_has_done_nothing_has_no_amounts(cloud: PageClient) -> None:
    rows = cloud.get(PATH).content.select("tbody tr")
    assert [len(row.find_all("data")) for row in rows] == [0, 0, 0, 3]


def test_pages_follow_one_another(cloud: PageClient) -> None:
    first = cloud.get(PATH, limit=3)
    second = cloud.get(first.links["Next"])
    assert [row[0] for row in (*first.rows[1:], *second.rows[1:])] == ["4", "3", "2", "1"]


class TestOne:
    def test_sums_are_those_of_the_command(self, cloud: PageClient, ratekit: Shell) -> None:
        fields = ratekit("reprocess", "show", "1", "-f", "json").json()
        figures = cloud.get(f"{PATH}/1").content.select(".figure data")
        assert [Decimal(str(tag["value"])) for tag in figures] == [
            Decimal(str(fields[name])) for name in ("Price", "New price", "Difference")
        ]

    def test_each_period_has_its_result(self, cloud: PageClient, ratekit: Shell) -> None:
        fields = ratekit("reprocess", "show", "1", "-f", "json").json()
        lines = cloud.get(f"{PATH}/1", format="csv").csv
        assert [line[1] for line in lines[1:]] == [row["outcome"] for row in fields["Results"]]
        assert [Decimal(line[6]) for line in lines[1:]] == [
            Decimal(row["new_price"]) for row in fields["Results"]
        ]
        assert f"left unchanged missing {SCRIPT}" in cloud.get(f"{PATH}/1").words

    def test_it_says_who_and_why(self, cloud: PageClient) -> None:
        words = cloud.get(f"{PATH}/1").words
        assert f"Reason wrong {SCRIPT}" in words
        assert f"Queued by eve {SCRIPT}, 2026-03-15 11:30 UTC" in words

    def test_a_failure_is_shown(self, cloud: PageClient) -> None:
        response = cloud.get(f"{PATH}/2")
        assert "The last attempt failed (1 in a row)" in response.words
        assert ERROR in response.words
        assert "No period has been processed yet" in response.words

    @pytest.mark.parametrize("number", ["5", "0", "x", "99999999999999999999"])
    def test_other_numbers_are_no_tasks(self, cloud: PageClient, number: str) -> None:
        assert cloud.get(f"{PATH}/{number}").status in (400, 404)

    def test_a_task_takes_no_form(self, cloud: PageClient) -> None:
        csrf = cloud.get("/dashboard/plan").field("csrf")
        assert cloud.post(f"{PATH}/1", {}, csrf=csrf).status == 405
