"""metric check and metric sample on a real Gnocchi: with correct and with wrong definitions.

The faulty resources are those of tests/stack/unusual_policies.py.
"""

from __future__ import annotations

import configparser
import datetime
import io
import json
import pathlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ratekit.cmd import ratekit as command
from tests import stack
from tests.functional.conftest import METRICS

WRONG = """\
metrics:
  share.size:
    unit: GB
    metadata: [display_name, colour]
    extra_args: {resource_type: share, aggregation_method: mean, force_granularity: 300}
  backup.sise:
    unit: GB
    alt_name: misspelt
    extra_args: {resource_type: backup, aggregation_method: mean, force_granularity: 300}
  archive.size:
    unit: GB
    extra_args: {resource_type: archive, resource_key: serial, aggregation_method: mean}
"""
Screen = Callable[..., tuple[int, str]]
Run = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def screen(
    cloud: stack.Stack, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> Screen:
    """Return a function that runs ratekit at the end of the plan: exit code and output."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(cloud.conf_path)
    parser["collect"]["metrics_conf"] = str(METRICS)
    # These commands write nothing and need no database.
    parser["database"]["connection"] = f"sqlite:///{tmp_path}/none.sqlite"
    path = tmp_path / "ratekit.conf"
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)

    def screen(*argv: str) -> tuple[int, str]:
        tool = command.Ratekit(lambda: cloud.plan().end, io.StringIO())
        code = command.main(["--config-file", str(path), *argv], tool)
        return code, capsys.readouterr().out

    return screen


@pytest.fixture
def run(screen: Screen) -> Run:
    """Return a function that runs ratekit likewise: exit code and rows."""

    def run(*argv: str) -> tuple[int, list[dict[str, Any]]]:
        code, out = screen(*argv, "-f", "json")
        return code, json.loads(out)

    return run


def verdicts(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], str]:
    return {(row["Metric"], row["Check"]): row["Verdict"] for row in rows}


def test_the_default_definitions_pass(run: Run) -> None:
    code, rows = run("metric", "check")
    assert code == 0
    assert {row["Verdict"] for row in rows if row["Metric"] == "instance"} == {"ok"}
    assert set(verdicts(rows).values()) == {"ok"}
    assert (None, "backlog") in verdicts(rows)


def test_a_screen_without_problems_is_one_line(screen: Screen, run: Run) -> None:
    _, rows = run("metric", "check")
    metrics = {row["Metric"] for row in rows} - {None}
    line = f"{len(rows)} checks of {len(metrics)} metrics are OK; --all lists every check\n"
    assert screen("metric", "check") == (0, line)
    code, out = screen("metric", "check", "--all")
    assert (code, out.count("| ok ")) == (0, len(rows))
    assert "--all" not in out


def test_a_screen_has_the_problems_and_counts_the_other_checks(
    screen: Screen, run: Run, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(WRONG)
    _, rows = run("metric", "check", str(path))
    ok_count = sum(row["Verdict"] == "ok" for row in rows)
    code, out = screen("metric", "check", str(path), "--max-width", "400")
    assert code == 1
    assert out.endswith(f"\n{ok_count} checks of 3 metrics are OK; --all lists every check\n")
    assert "| ok " not in out
    assert (out.count("| error "), out.count("| warning ")) == (4, 2)


def test_a_resource_type_that_the_cloud_lacks_is_only_a_warning(
    run: Run, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "absent.yml"
    path.write_text("metrics: {objects: {unit: B, extra_args: {resource_type: swift_account}}}")
    code, rows = run("metric", "check", str(path), "--problems")
    assert code == 0
    assert verdicts(rows) == {("objects", "resource type"): "warning"}


def test_each_wrong_definition_is_reported_with_a_remedy(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(WRONG)
    code, rows = run("metric", "check", str(path), "--problems")
    assert code == 1
    assert verdicts(rows) == {
        ("share.size", "attributes"): "warning",
        ("share.size", "archive policy hourly"): "error",
        ("share.size", "archive policy extremes"): "error",
        ("misspelt", "metrics"): "warning",
        ("archive.size", "attributes"): "error",
        ("archive.size", "archive policy brief"): "error",
    }
    assert all(row["Remedy"] for row in rows)
    details = {(row["Metric"], row["Check"]): row["Detail"] for row in rows}
    assert "colour" in details["share.size", "attributes"]
    assert "granularity of 300 s" in details["share.size", "archive policy hourly"]
    assert "aggregation method 'mean'" in details["share.size", "archive policy extremes"]
    assert "'backup.sise'" in details["misspelt", "metrics"]
    assert "serial" in details["archive.size", "attributes"]


def test_a_backlog_is_reported_once(cloud: stack.Stack, run: Run) -> None:
    admin = cloud.admin_session()
    url = f"{cloud.gnocchi_url}/v1/metric"
    metric_id = admin.post(url, json={"archive_policy_name": "hourly", "name": "unread"}).json()[
        "id"
    ]
    try:
        with cloud.pause("gnocchi-metricd"):
            measure = {"timestamp": cloud.plan().begin.isoformat(), "value": 1.0}
            admin.post(f"{url}/{metric_id}/measures", json=[measure])
            code, rows = run("metric", "check", "--problems")
    finally:
        admin.delete(f"{url}/{metric_id}")
    assert code == 0
    [backlog] = [row for row in rows if row["Check"] == "backlog"]
    assert (backlog["Metric"], backlog["Verdict"]) == (None, "warning")
    assert "metricd" in backlog["Detail"]
    assert "workers" in backlog["Remedy"]


def test_a_sample_shows_quantities_and_their_computation(cloud: stack.Stack, run: Run) -> None:
    plan = cloud.plan()
    resized = str(plan.resource("resized").id)
    hours = {}
    for hour in range((plan.end - plan.begin) // datetime.timedelta(hours=1)):
        begin = plan.begin + hour * datetime.timedelta(hours=1)
        code, rows = run(
            "metric", "sample", "instance", "--scope", cloud.project_ids["cases"],
            "--period", begin.isoformat(),
        )  # fmt: skip
        assert code == 0
        hours[begin] = [row for row in rows if row["Labels"]["id"] == resized]
        if len(hours[begin]) > 1:
            break
    before, after = hours[begin]
    assert before["Labels"]["flavor_name"] != after["Labels"]["flavor_name"]
    assert Decimal(before["Quantity"]) + Decimal(after["Quantity"]) == 1
    assert (before["Reducer"], before["Conversion"], before["Unit"]) == (
        "mean",
        "NUMBOOL",
        "instance",
    )
    assert before["Values"]
    assert before["Share"] not in ("0", "1")


def test_a_sample_takes_the_name_of_a_scope_too(cloud: stack.Stack, run: Run) -> None:
    begin = cloud.plan().begin.isoformat()
    code, rows = run("metric", "sample", "instance", "--period", begin, "--scope", "cases")
    assert code == 0
    assert rows
    assert {row["Scope"] for row in rows} == {cloud.project_ids["cases"]}


def test_without_a_scope_all_scopes_of_the_fetcher_are_sampled(
    cloud: stack.Stack, run: Run
) -> None:
    code, rows = run("metric", "sample", "volume.size")
    assert code == 0
    assert {row["Scope"] for row in rows} <= set(cloud.project_ids.values())
    assert len({row["Scope"] for row in rows}) > 1
    assert cloud.project_ids["policies"] not in {row["Scope"] for row in rows}
