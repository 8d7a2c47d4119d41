"""metric check and metric sample on a real Gnocchi: sound, and with faults planted in it.

The faults are those of tests/stack/unusual_policies.py.
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

PLANTED = """\
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
Run = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def run(cloud: stack.Stack, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ratekit in this process at the end of the plan; returns the code and the rows."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(cloud.conf_path)
    parser["collect"]["metrics_conf"] = str(METRICS)
    # Whoever looks writes nothing, so there need be no database.
    parser["database"]["connection"] = f"sqlite:///{tmp_path}/none.sqlite"
    path = tmp_path / "ratekit.conf"
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)

    def run(*argv: str) -> tuple[int, list[dict[str, Any]]]:
        tool = command.Ratekit(lambda: cloud.plan().end, io.StringIO())
        code = command.main(["--config-file", str(path), *argv, "-f", "json"], tool)
        return code, json.loads(capsys.readouterr().out)

    return run


def verdicts(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], str]:
    return {(row["Metric"], row["Check"]): row["Verdict"] for row in rows}


def test_a_sound_cloud_passes(run: Run) -> None:
    code, rows = run("metric", "check")
    assert code == 0
    assert {row["Verdict"] for row in rows if row["Metric"] == "instance"} == {"ok"}
    assert set(verdicts(rows).values()) == {"ok"}
    assert (None, "backlog") in verdicts(rows)


def test_a_resource_type_that_the_cloud_lacks_is_no_fault(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lacking.yml"
    path.write_text("metrics: {objects: {unit: B, extra_args: {resource_type: swift_account}}}")
    code, rows = run("metric", "check", str(path), "--problems")
    assert code == 0
    assert verdicts(rows) == {("objects", "resource type"): "warning"}


def test_each_planted_fault_is_named_with_a_remedy(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "planted.yml"
    path.write_text(PLANTED)
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


def test_a_backlog_is_named_once(cloud: stack.Stack, run: Run) -> None:
    admin = cloud.admin_session()
    url = f"{cloud.gnocchi_url}/v1/metric"
    made = admin.post(url, json={"archive_policy_name": "hourly", "name": "unread"}).json()["id"]
    try:
        with cloud.pause("gnocchi-metricd"):
            measure = {"timestamp": cloud.plan().begin.isoformat(), "value": 1.0}
            admin.post(f"{url}/{made}/measures", json=[measure])
            code, rows = run("metric", "check", "--problems")
    finally:
        admin.delete(f"{url}/{made}")
    assert code == 0
    [told] = [row for row in rows if row["Check"] == "backlog"]
    assert (told["Metric"], told["Verdict"]) == (None, "warning")
    assert "metricd" in told["Detail"]
    assert "workers" in told["Remedy"]


def test_a_sample_shows_what_is_charged_and_how(cloud: stack.Stack, run: Run) -> None:
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
    one, other = hours[begin]
    assert one["Labels"]["flavor_name"] != other["Labels"]["flavor_name"]
    assert Decimal(one["Quantity"]) + Decimal(other["Quantity"]) == 1
    assert (one["Reducer"], one["Conversion"], one["Unit"]) == ("mean", "NUMBOOL", "instance")
    assert one["Values"]
    assert one["Share"] not in ("0", "1")


def test_without_a_scope_all_that_the_fetcher_lists_are_sampled(
    cloud: stack.Stack, run: Run
) -> None:
    code, rows = run("metric", "sample", "volume.size")
    assert code == 0
    assert {row["Scope"] for row in rows} <= set(cloud.project_ids.values())
    assert len({row["Scope"] for row in rows}) > 1
    assert cloud.project_ids["policies"] not in {row["Scope"] for row in rows}
