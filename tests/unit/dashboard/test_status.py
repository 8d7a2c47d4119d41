"""The status page says in one word whether all is rated, and what the command says."""

from __future__ import annotations

from tests.api_client import NOW
from tests.contract.given import HOUR
from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import SCRIPT

PATH = "/dashboard/status"


def test_nothing_can_be_said_of_an_empty_database(pages: PageClient) -> None:
    response = pages.get(PATH)
    assert response.status == 200
    assert "Nobody knows yet" in response.words
    assert "Start ratekit-processor" in response.words


def test_all_is_well(cloud: PageClient) -> None:
    storage = cloud.parts.storage
    for scope in "abcde":
        storage.scopes.deactivate(scope, NOW)
    for task, _ in storage.tasks.tasks():
        storage.tasks.cancel(task.id, NOW)
    response = cloud.get(PATH)
    assert "Yes Everything that is due is rated. All" in response.words
    assert "Problems" not in response.words
    assert response.content.select(".verdict.good")


class TestProblems:
    def test_the_answer_is_no_with_the_numbers_of_the_command(
        self, cloud: PageClient, ratekit: Shell
    ) -> None:
        fields = ratekit("status", "-f", "json").json()
        response = cloud.get(PATH)
        assert "No 1 failing and 1 late of 5 projects." in response.words
        counts = fields["Scopes"]
        assert [f"{count} {state}" for state, count in counts.items()] == [
            text for text in response.links if text.split()[-1] in counts
        ]
        times = [tag["datetime"] for tag in response.content.select(".figure time")]
        assert [str(time).replace("+00:00", "Z") for time in times] == [
            fields["Rated until"],
            fields["Due until"],
        ]

    def test_each_problem_of_the_command_is_there_with_reason_and_remedy(
        self, cloud: PageClient, ratekit: Shell
    ) -> None:
        fields = ratekit("status", "-f", "json").json()
        rows = [" ".join(row) for row in cloud.get(PATH).rows]
        issues = [*fields["Problems"], *fields["Notes"]]
        assert {issue["kind"] for issue in issues} >= {"failing", "late", "excluded", "task"}
        for issue in issues:
            (row,) = [row for row in rows if f"{issue['kind']} {issue['subject']}" in row]
            assert issue["reason"] in row
            assert issue["remedy"] in row

    def test_the_csv_has_the_issues(self, cloud: PageClient, ratekit: Shell) -> None:
        fields = ratekit("status", "-f", "json").json()
        lines = cloud.get(PATH, format="csv").csv
        reasons = [issue["reason"] for issue in (*fields["Problems"], *fields["Notes"])]
        assert [line[4] for line in lines[1:]] == reasons

    def test_each_issue_leads_to_its_list(self, cloud: PageClient) -> None:
        links = {
            row.select_one(".tag").get_text(): row.find("a")["href"]  # type: ignore[union-attr, index]
            for row in cloud.get(PATH).content.select(".issues tbody tr")
        }
        for kind in ("failing", "late", "excluded", "task"):
            response = cloud.get(str(links[kind]))
            assert response.status == 200
            assert len(response.rows) > 1, kind

    def test_each_count_of_projects_leads_to_as_many(self, cloud: PageClient) -> None:
        links = cloud.get(PATH).links
        for text in ("1 failing", "1 late"):
            assert len(cloud.get(links[text]).rows) == 2

    def test_a_missing_processor_is_shown(self, cloud: PageClient) -> None:
        cloud.replace(clock=lambda: NOW + 3 * HOUR)
        assert ["host, worker 1", "missing"] in [row[:2] for row in cloud.get(PATH).rows]


def test_markup_in_errors_and_names_is_text(cloud: PageClient) -> None:
    response = cloud.get(PATH)
    assert SCRIPT in response.words
    assert not response.document.find_all("script")
