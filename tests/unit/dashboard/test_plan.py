"""The page of planned prices shows what the API plans, and changes nothing."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import EVERYTHING, FrameRow, Page, Selection
from ratekit.storage.reports.reports import SqlReports
from tests.api_client import NOW
from tests.contract.given import hour
from tests.page_client import PageClient, PageResponse
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import NAMES, SCRIPT

PATH = "/dashboard/plan"
#: m1 costs 0.3 instead of 0.1 and 0.2; volumes cost something.
RULES = """
services:
  instance:
    fields:
      flavor_name:
        mappings: [{value: m1, cost: "0.3", type: flat}]
  volume.size:
    mappings: [{cost: "-0.001", type: flat}]
"""
_ALLOWED = {"allow_unknown": "true", "allow_free": "true"}


def plan(
    cloud: PageClient, rules: str = RULES, name: str = "rules.yml", **fields: str
) -> PageResponse:
    """Upload a file."""
    return cloud.post(PATH, {"file": (name, rules.encode()), **_ALLOWED, **fields})


class TestForm:
    def test_it_asks_for_a_file_and_a_day(self, pages: PageClient) -> None:
        response = pages.get(PATH)
        assert response.status == 200
        assert response.field("since") == "2026-03-01"
        form = response.content.find("form")
        assert form is not None
        assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")

    def test_without_its_token_it_is_refused(self, cloud: PageClient) -> None:
        assert cloud.post(PATH, {"file": ("x", RULES.encode())}, csrf="forged").status == 403

    def test_it_keeps_what_was_chosen(self, cloud: PageClient) -> None:
        response = plan(cloud, since="2026-03-05", name=f"{SCRIPT}.yml")
        assert response.field("since") == "2026-03-05"
        assert response.field("rules_name") == f"{SCRIPT}.yml"
        text = response.content.find("textarea")
        assert text is not None
        assert text.get_text().strip() == RULES.strip()
        checked = [tag["name"] for tag in response.content.select("input[checked]")]
        assert checked == ["allow_unknown", "allow_free"]
        assert not response.document.find_all("script")

    def test_what_it_kept_can_be_sent_again(self, cloud: PageClient) -> None:
        first = plan(cloud)
        again = cloud.post(PATH, {"rules": RULES, "rules_name": "rules.yml", **_ALLOWED})
        assert again.rows == first.rows

    def test_a_file_that_is_too_large_is_refused(self, cloud: PageClient) -> None:
        assert plan(cloud, "#" * (2 << 20)).status == 413


class TestDifferences:
    def test_they_are_those_of_the_command(
        self, cloud: PageClient, ratekit: Shell, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "rules.yml"
        path.write_text(RULES)
        expected = ratekit(
            "hashmap", "plan", str(path), "--since", "2026-03-04T00:00:00Z",
            "--allow-unknown", "--allow-free", "-f", "json",
        )  # fmt: skip
        assert expected.code == 0, expected.err
        differences = {
            (row["scope"], row["metric"]): (Decimal(row["price"]), Decimal(row["new_price"]))
            for row in expected.json()["what_if"]
        }
        lines = plan(cloud, since="2026-03-04", format="csv").csv
        assert {
            (line[0], line[2]): (Decimal(line[4]), Decimal(line[5])) for line in lines[1:]
        } == differences

    def test_the_largest_come_first(self, cloud: PageClient) -> None:
        lines = plan(cloud, format="csv").csv[1:]
        sizes = [abs(Decimal(line[6])) for line in lines]
        assert sizes == sorted(sizes, reverse=True)
        assert all(
            EXACT.subtract(Decimal(line[5]), Decimal(line[4])) == Decimal(line[6]) for line in lines
        )

    def test_projects_and_metrics_add_up_to_the_total(self, cloud: PageClient) -> None:
        content = plan(cloud).content
        total = [Decimal(str(tag["value"])) for tag in content.select(".figure data")]
        assert EXACT.subtract(total[1], total[0]) == total[2]
        metrics, projects = content.find_all("table")[1:3]
        for table in (metrics, projects):
            rows = table.select("tbody tr:not(.total)")
            amounts = [[Decimal(str(tag["value"])) for tag in row.find_all("data")] for row in rows]
            charged, news, differences = total
            sums = [add_up(column) for column in zip(*amounts, strict=True)]
            assert sums == [differences, charged, news]

    def test_projects_have_names_and_links(self, cloud: PageClient) -> None:
        links = plan(cloud).links
        assert set(NAMES.values()) <= links.keys()
        assert links["delta"].startswith("/dashboard/costs?scope=d&begin=2026-03-01")

    def test_the_same_rules_make_no_difference(self, cloud: PageClient) -> None:
        rules = """
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1, cost: "0.2", type: flat}
          - {value: m2, cost: "7", type: flat, start: 2026-03-21T20:00:00Z}
"""
        response = plan(cloud, rules, since="2026-03-06")
        assert "nothing to do" in response.words

    def test_nothing_is_changed(self, cloud: PageClient) -> None:
        before = cloud.parts.storage.rules.read()
        plan(cloud)
        assert cloud.parts.storage.rules.read().version == before.version

    def test_nothing_was_rated_since(self, cloud: PageClient) -> None:
        assert "Nothing was rated since then" in plan(cloud, since="2026-04-01").words


class TestMistakes:
    def test_each_has_file_line_key_and_what_is_expected(self, cloud: PageClient) -> None:
        response = plan(cloud, RULES.replace('"0.3"', '"x"'), f"{SCRIPT}.yml")
        assert response.status == 400
        assert (
            f"{SCRIPT}.yml:6: services.instance.fields.flavor_name.mappings[0].cost: expected a "
            "decimal number, not 'x'" in response.words
        )
        assert not response.document.find_all("script")

    @pytest.mark.parametrize("rules", ["[", "a: b", "\x00", "x: &a [*a]", "- " * 100 + "x"])
    def test_what_is_no_rules_file_is_told(self, cloud: PageClient, rules: str) -> None:
        response = plan(cloud, rules)
        assert response.status == 400
        assert "These rules cannot be planned" in response.words

    def test_what_is_not_allowed_is_told(self, cloud: PageClient) -> None:
        rules = RULES.replace("volume.size", "unheard.of")
        response = cloud.post(PATH, {"file": ("r.yml", rules.encode())})
        assert response.status == 400
        assert "unheard.of" in response.words

    def test_a_day_within_a_period_is_told(self, cloud: PageClient) -> None:
        assert plan(cloud, since="2026-03-05T00:30:00Z").status == 400

    def test_a_day_that_is_none_is_refused(self, cloud: PageClient) -> None:
        assert plan(cloud, since="soon").status == 400


class Slow(SqlReports):
    """Reports whose frames take longer than a request may."""

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        raise errors.TooSlow(30)


def test_a_report_that_takes_too_long_says_what_to_do(cloud: PageClient) -> None:
    storage = cloud.parts.storage
    slow = Slow.__new__(Slow)
    vars(slow).update(vars(storage.reports))
    cloud.replace(storage=dataclasses.replace(storage, reports=slow))
    response = plan(cloud)
    assert response.status == 503
    assert "choose a later time" in response.words
    assert response.content.find("textarea") is not None


def test_usage_that_was_purged_is_told(cloud: PageClient) -> None:
    storage = cloud.parts.storage
    for task, _ in storage.tasks.tasks():
        storage.tasks.cancel(task.id, NOW)
    storage.purge.start(hour(48), totals=False)
    list(storage.purge.remove(10_000))
    assert "Part of the usage is gone" in plan(cloud).words
