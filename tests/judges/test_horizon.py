"""Horizon with CloudKitty's dashboard, walked through in a browser, on a real Keystone."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.judges import environments, horizon, live_api, seeds
from tests.judges.conftest import FULL
from tests.judges.identity import PROJECTS, Cloud

pytestmark = pytest.mark.skipif(not FULL, reason="Horizon is for the long profile")

_WALK = environments.SCRIPTS / "horizon_walk.py"
_SUMMARY = "import sys; from ratekit.cmd import launch; sys.exit(launch.ratekit())"
Page = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """What the walk saw.

    :ivar pages: by the walk's steps
    :ivar bills: what ``ratekit summary`` says of each project this month, by metric
    """

    pages: Mapping[str, Page]
    bills: Mapping[str, Mapping[str, Decimal]]


@pytest.fixture(scope="module")
def visit(keystone: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Walk through Horizon; screenshots go to the folder RATEKIT_SCREENSHOTS, if it is set."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("horizon")
    url = live_api.write_conf(folder, keystone.conf)
    seeds.bills(url, keystone.project_ids)
    pictures = pathlib.Path(os.environ.get("RATEKIT_SCREENSHOTS") or folder)
    pictures.mkdir(parents=True, exist_ok=True)
    with keystone.serve(folder), horizon.serve(folder, keystone.url) as horizon_url:
        task = {
            "url": horizon_url,
            "folder": str(pictures),
            "chromium": chromium,
            "admin": {"name": keystone.admin.name, "password": keystone.admin.password},
            "member": {
                "name": keystone.members["alpha"].name,
                "password": keystone.members["alpha"].password,
                "project_id": keystone.project_ids["alpha"],
            },
        }
        python = environments.programs("browser") / "python"
        result = environments.run([str(python), str(_WALK)], 1800, text=json.dumps(task))
        assert result.returncode == 0, result.stderr
        bills = {name: _summary(folder, keystone.project_ids[name]) for name in PROJECTS}
        yield Visit(json.loads(result.stdout), bills)


def test_every_page_opens_without_errors_of_its_scripts(visit: Visit) -> None:
    assert {step: page["status"] for step, page in visit.pages.items()} == dict.fromkeys(
        visit.pages, 200
    )
    assert {step: page["errors"] for step, page in visit.pages.items() if page["errors"]} == {}


def test_a_member_sees_on_the_rating_page_what_ratekit_summary_says(visit: Visit) -> None:
    text = visit.pages["member-rating"]["text"]
    bill = visit.bills["alpha"]
    for metric, price in bill.items():
        assert re.search(rf"{re.escape(metric)}\s+{price:.2f}\b", text), (metric, price, text)
    assert f"{sum(bill.values()):.2f}" in text


def test_a_member_sees_on_the_reporting_page_what_ratekit_summary_says(visit: Visit) -> None:
    assert _reported(visit.pages["member-reporting"]) == pytest.approx(
        {metric: float(price) for metric, price in visit.bills["alpha"].items()}, rel=1e-15
    )


def test_an_administrator_sees_all_projects_and_their_sum(visit: Visit) -> None:
    text = visit.pages["summary"]["text"]
    totals = {name: sum(bill.values()) for name, bill in visit.bills.items() if bill}
    assert len(totals) == 2
    for name, total in totals.items():
        assert re.search(rf"{name}\s+{total:.2f}\b", text), text
    assert re.search(rf"Cloud Total\s+{sum(totals.values()):.2f}\b", text), text
    details = visit.pages["summary-project"]["text"]
    assert f"{totals['alpha']:.2f}" in details


def test_an_administrator_sees_the_modules(visit: Visit) -> None:
    text = visit.pages["modules"]["text"]
    for name in ("hashmap", "noop", "pyscripts"):
        assert name in text


def test_an_administrator_creates_edits_and_deletes_a_mapping(visit: Visit) -> None:
    pages = visit.pages
    assert re.search(r"\bflat\s+0\.25\b", pages["hashmap-mapping-list"]["text"], re.I)
    assert re.search(r"\bflat\s+0\.5\b", pages["hashmap-mapping-list-edited"]["text"], re.I)
    assert not re.search(r"\bflat\b", pages["hashmap-mapping-deleted"]["text"], re.I)


def test_the_last_price_of_what_is_used_is_not_deleted(visit: Visit) -> None:
    # Horizon keeps the reason in its log.
    assert "Error: Unable to delete mapping" in visit.pages["used-mapping-deletion"]["text"]
    assert re.search(r"\bflat\s+0\.25\b", visit.pages["used-mapping-list-after"]["text"], re.I)


def _reported(page: Page) -> Mapping[str, float]:
    """Return the pie chart's data."""
    pairs = re.findall(r'"label": "([^"]+)",\s*"value": ([-0-9.eE]+)', page["html"])
    return {label: float(value) for label, value in pairs}


def _summary(folder: pathlib.Path, project: str) -> Mapping[str, Decimal]:
    """Return what the command says of a project this month, by metric."""
    begin = seeds.month()
    end = (begin + datetime.timedelta(days=32)).replace(day=1)
    command = [
        *(sys.executable, "-c", _SUMMARY, "--config-file", str(folder / "ratekit.conf")),
        *("summary", "--scope", project, "--groupby", "metric", "--format", "json"),
        *("--begin", begin.isoformat(), "--end", end.isoformat()),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout, parse_float=Decimal)
    return {row["Metric"]: Decimal(row["Price"]) for row in rows}
