"""Which rule prices a label that is null, empty or a number, and usage before there are rules.

By the commands that operators use, on a real Gnocchi; every price is computed by hand.
"""

from __future__ import annotations

import configparser
import dataclasses
import pathlib
import uuid
from collections.abc import Mapping
from decimal import Decimal

import pytest
import yaml

from tests import stack
from tests.builders import HOUR
from tests.functional.conftest import sqlite_url
from tests.functional.test_commands import CommandRunner
from tests.oracle import planting

TYPE = "titled"
HOURS = 2
#: Name -> attributes; each resource has a usage of 10 in each hour.
RESOURCES: Mapping[str, Mapping[str, object]] = {
    "null": {"size": 1},
    "empty": {"kind": "", "size": 2.5},
    "text": {"kind": "None", "size": 1e16},
}


@dataclasses.dataclass(frozen=True, slots=True)
class Bill:
    """The bill of the resources, with a configuration as CloudKitty's: without [rating].

    :ivar begin: first hour, ISO 8601
    """

    commands: CommandRunner
    folder: pathlib.Path
    begin: str

    def apply(self, label: str, costs: Mapping[str | None, int]) -> None:
        """Apply a rule file with a flat cost for each value of a label."""
        mappings = [{"value": value, "cost": cost, "type": "flat"} for value, cost in costs.items()]
        rules = {"services": {"gauge": {"fields": {label: {"mappings": mappings}}}}}
        path = self.folder / "rules.yml"
        path.write_text(yaml.safe_dump(rules), encoding="utf-8")
        applied = self.commands.run("ratekit", "hashmap", "apply", str(path), "--yes")
        assert applied.returncode == 0, applied.stderr

    def rate(self) -> int:
        """Rate all that is due and return the exit code."""
        return self.commands.run("ratekit-processor", "--once").returncode

    def prices(self) -> dict[str, Decimal]:
        """Return the price of each resource over all hours."""
        rows = self.commands.json("summary", "--begin", self.begin, "--groupby", "title")
        return {row["title"]: Decimal(row["Price"]) for row in rows}


@pytest.fixture(scope="module")
def scope(cloud: stack.Stack) -> str:
    """Plant the resources in a scope that no one else uses; return its id."""
    gnocchi = planting.Gnocchi(cloud.admin_session(), cloud.gnocchi_url)
    gnocchi.prepare()
    types = {"title": "string", "kind": "string", "size": "number"}
    schema = {
        name: {"type": type_, "required": False, **({"min_length": 0} if type_ == "string" else {})}
        for name, type_ in types.items()
    }
    body = {"name": TYPE, "attributes": schema}
    gnocchi.request("POST", "/v1/resource_type", body, accepted=409)
    scope = uuid.uuid4().hex
    begin = cloud.plan().end - HOURS * HOUR
    for name, attributes in RESOURCES.items():
        resource = {
            "id": str(uuid.uuid4()), "project_id": scope, "title": name, **attributes,
            "started_at": begin.isoformat(),
            "metrics": {"gauge": {"archive_policy_name": planting.POLICY}},
        }  # fmt: skip
        ids = gnocchi.request("POST", f"/v1/resource/{TYPE}", resource)["metrics"]
        measures = [
            {"timestamp": (begin + number * HOUR / 12).isoformat(), "value": 10}
            for number in range(HOURS * 12)
        ]
        gnocchi.request("POST", f"/v1/metric/{ids['gauge']}/measures", measures)
    gnocchi.wait()
    # Otherwise their records are from now, later than the hours.
    with planting.connect(cloud) as connection:
        statement = "UPDATE resource SET revision_start = started_at WHERE project_id = %s"
        connection.execute(statement, [scope])
    return scope


@pytest.fixture
def bill(cloud: stack.Stack, scope: str, tmp_path: pathlib.Path) -> Bill:
    """The bill of the scope, with an empty database."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(cloud.conf_path)
    metrics = tmp_path / "metrics.yml"
    definition = {
        "unit": "u", "groupby": ["title"], "metadata": ["kind", "size"],
        "extra_args": {"resource_type": TYPE, "aggregation_method": "mean"},
    }  # fmt: skip
    metrics.write_text(yaml.safe_dump({"metrics": {"gauge": definition}}), encoding="utf-8")
    begin = (cloud.plan().end - HOURS * HOUR).isoformat()
    parser["database"]["connection"] = sqlite_url(cloud, tmp_path)
    parser["collect"].update({"metrics_conf": str(metrics), "start": begin, "wait_periods": "0"})
    parser["fetcher"]["backend"] = "static"
    parser["fetcher_static"] = {"scopes": scope}
    path = tmp_path / "ratekit.conf"
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)
    return Bill(CommandRunner(path), tmp_path, begin)


def test_cloudkittys_rule_none_prices_null_and_the_empty_rule_the_empty_label(bill: Bill) -> None:
    bill.apply("kind", {"None": 3, "": 5})
    assert bill.rate() == 0
    assert bill.prices() == {"null": 60, "empty": 100, "text": 60}


def test_a_rule_for_null_prices_null(bill: Bill) -> None:
    bill.apply("kind", {None: 7})
    assert bill.rate() == 0
    assert bill.prices()["null"] == 140


def test_a_number_is_priced_by_the_rule_for_cloudkittys_text(bill: Bill) -> None:
    bill.apply("size", {"1.0": 3, "2.5": 5, "1e+16": 7})
    assert bill.rate() == 0
    assert bill.prices() == {"null": 60, "empty": 100, "text": 140}


def test_before_there_are_rules_nothing_is_charged_at_0_and_later_nothing_is_lost(
    bill: Bill,
) -> None:
    assert bill.rate() == 1
    assert bill.prices() == {}
    bill.apply("size", {"2.5": 5})
    assert bill.rate() == 0
    assert bill.prices() == {"null": 0, "empty": 100, "text": 0}
