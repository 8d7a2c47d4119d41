"""A cloud with a history of two months, and ratekit's pages of it.

================  =================================================================
27 February       the data begins
28 February       the processor runs; the prices are those of etc/ratekit/hashmap.yml
2 March           new prices, and a schedule; somebody removes a metric by mistake
4 March           a project and two metrics are added; some resources cannot be collected
5 March, 13:50    now; the metric is back, its gap is closed for one project, and the
                  task for another is queued; the new project is late
================  =================================================================
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import yaml

from ratekit.storage import migrate
from tests.judges import live_api
from tests.pages import clock, processor, resources_of_attackers
from tests.pages.people import FORMULA, LATE, SCRIPT, Directory
from tests.stack.folder import write_private
from tests.stack.keystone import User
from tests.stack.lifecycle import down, up
from tests.stack.stack import Stack

REPO = pathlib.Path(__file__).parents[2]
_RULES = REPO / "etc/ratekit/hashmap.yml"
_METRICS = REPO / "etc/ratekit/metrics.yml"
#: Metrics of that file that no project here has, or that cost nothing.
_UNUSED = ("radosgw.objects.size", "network.incoming.bytes.rate")
#: The metric that is removed for two days.
REMOVED = "ip.floating"
_FIRST_RUN = datetime.datetime(2026, 2, 28, 10, tzinfo=datetime.UTC)
_SECOND_RUN = datetime.datetime(2026, 3, 2, 10, tzinfo=datetime.UTC)
_THIRD_RUN = datetime.datetime(2026, 3, 4, 10, tzinfo=datetime.UTC)
NOW = datetime.datetime(2026, 3, 5, 13, 50, tzinfo=datetime.UTC)
#: First instant without data.
_DATA_END = datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.UTC)
_DATA_HOURS = 156

_CONF = """
[api]
port = 0
dashboard = true
dashboard_keys = {key}
[rating]
currency = EUR
[keystone_authtoken]
auth_type = password
auth_url = {stack.keystone_url}
www_authenticate_uri = {stack.keystone_url}
username = {stack.user.name}
password = {stack.user.password}
project_name = {stack.user.project}
user_domain_id = default
project_domain_id = default
"""
#: Only so that cookies of one session of tests are accepted by a restarted API.
_KEY = "cGFnZXMtcGFnZXMtcGFnZXMtcGFnZXMtcGFnZXMtcGE="


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """The pages, and who reads them.

    :ivar url: of ratekit-api
    :ivar folder: of its ``ratekit.conf``
    :ivar member: of two projects, ``demo-01`` and ``demo-02``
    :ivar project_ids: by name
    """

    url: str
    folder: pathlib.Path
    member: User
    admin: User
    project_ids: Mapping[str, str]

    def write_planned_rules(self, folder: pathlib.Path) -> pathlib.Path:
        """Write a rule file that raises a price, for the page that plans."""
        rules = yaml.safe_load((self.folder / "hashmap.yml").read_text(encoding="utf-8"))
        for rule in rules["services"]["instance"]["fields"]["flavor_name"]["mappings"]:
            if rule["value"] == "m1.large":
                rule["cost"] = "0.1"
        path = folder / "planned.yml"
        path.write_text(yaml.safe_dump(rules), encoding="utf-8")
        return path

    def command(self, *arguments: str) -> str:
        """Return what ``ratekit`` prints at the pages' time."""
        return run_ratekit(self.folder, NOW, *arguments)

    def rows(self, *arguments: str) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a listing; numbers are Decimals with all digits."""
        text = self.command(*arguments, "--format", "json")
        rows: Sequence[Mapping[str, Any]] = json.loads(text, parse_float=Decimal)
        return rows


def run_ratekit(folder: pathlib.Path, now: datetime.datetime, *arguments: str) -> str:
    """Run ``ratekit`` at a time; return what it prints.

    :raises AssertionError: it failed
    """
    start = "import sys; from ratekit.cmd import launch; sys.exit(launch.ratekit())"
    command = [sys.executable, "-c", start, "--config-file", str(folder / "ratekit.conf")]
    result = subprocess.run(
        [*command, *arguments],
        env={**os.environ, **clock.variables(now), "SUDO_USER": "operator"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


@contextmanager
def run(folder: pathlib.Path) -> Iterator[Site]:
    """Start a cloud, rate its usage in time, and serve the pages.

    :param folder: an empty one
    """
    cloud, ratekit = folder / "cloud", folder / "ratekit"
    ratekit.mkdir(mode=0o700)
    try:
        stack = up(cloud, projects=3, instances=3, hours=_DATA_HOURS, end=_DATA_END)
        with rate(stack, ratekit).serve() as site:
            yield site
    finally:
        down(cloud)


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """Usage that has been rated, of which pages can be served.

    :ivar folder: of ``ratekit.conf``
    """

    folder: pathlib.Path
    member: User
    admin: User
    project_ids: Mapping[str, str]

    @contextmanager
    def serve(self) -> Iterator[Site]:
        """Run ratekit-api."""
        with live_api.serve(self.folder, clock.variables(NOW)) as url:
            yield Site(url, self.folder, self.member, self.admin, self.project_ids)


def rate(stack: Stack, folder: pathlib.Path) -> History:
    """Make the history of the table above.

    :param stack: ends at :data:`_DATA_END`; its projects must be as they were when it started
    :param folder: an empty one
    """
    directory = Directory(stack)
    for project in (SCRIPT, FORMULA):
        directory.create_project(project)
    member = directory.create_user("alice", ["demo-01", "demo-02"])
    resources_of_attackers.create(stack, directory.project_ids)
    _write_conf(stack, folder)
    _rate(folder, directory)
    return History(folder, member, stack.admin, directory.project_ids)


def _write_conf(stack: Stack, folder: pathlib.Path) -> None:
    database = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(database)
    text = stack.conf_path.read_text(encoding="utf-8")
    stack_database = f"sqlite:///{stack.directory}/ratekit.sqlite"
    text = text.replace(stack_database, database).replace(str(_METRICS), str(_metrics(folder)))
    assert database in text
    write_private(folder / "ratekit.conf", text + _CONF.format(stack=stack, key=_KEY))


def _rate(folder: pathlib.Path, directory: Directory) -> None:
    """Rate, correct and change prices in turn."""
    conf, files = folder / "ratekit.conf", _Files(folder)
    files.write_metrics()
    files.apply(_FIRST_RUN, comment="First prices")
    processor.run(conf, _FIRST_RUN)
    files.raise_prices()
    files.apply(_SECOND_RUN, comment=f"Larger flavors cost more {SCRIPT}")
    files.write_metrics(removed=REMOVED)
    processor.run(conf, _SECOND_RUN)
    directory.rate(LATE)
    files.write_metrics(removed=REMOVED, more=_EXCLUDED | _EXPIRED)
    files.add_prices(*_EXCLUDED, *_EXPIRED)
    files.apply(_THIRD_RUN, comment="Shares and snapshots have a price")
    files.write_metrics(removed=REMOVED, more=_EXCLUDED)
    processor.run(conf, _THIRD_RUN)
    files.write_metrics(more=_EXCLUDED | _EXPIRED)
    processor.run(conf, NOW)
    reason = f"A metric was missing {SCRIPT}"
    days = ("--begin", "2026-03-02", "--end", "2026-03-04")
    run_ratekit(folder, NOW, "reprocess", "--scope", "demo-01", *days, "--reason", reason, "--yes")
    processor.run(conf, NOW)
    run_ratekit(folder, NOW, "reprocess", "--scope", "demo-03", *days, "--reason", reason, "--yes")


def _gauge(resource_type: str) -> Mapping[str, Any]:
    return {
        "unit": "GiB",
        "groupby": ["id", "project_id"],
        "extra_args": {
            "aggregation_method": "mean",
            "resource_type": resource_type,
            "force_granularity": 300,
        },
    }


#: Archive policies of some resources lack the mean, or five minutes: these are not charged.
_EXCLUDED = {"share.size": _gauge("share")}
#: Gnocchi keeps three hours of one resource: its project is late.
_EXPIRED = {"snapshot.size": _gauge("snapshot")}


def _metrics(folder: pathlib.Path) -> pathlib.Path:
    return folder / "metrics.yml"


class _Files:
    """The operator's files over time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._rules = folder / "hashmap.yml"
        self._content = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
        for name in _UNUSED:
            del self._content["services"][name]

    def write_metrics(self, removed: str = "", more: Mapping[str, Any] | None = None) -> None:
        """Write metrics.yml, without one or with more."""
        content = yaml.safe_load(_METRICS.read_text(encoding="utf-8"))
        for name in (*_UNUSED, removed):
            content["metrics"].pop(name, None)
        content["metrics"].update(more or {})
        _metrics(self._folder).write_text(yaml.safe_dump(content), encoding="utf-8")

    def raise_prices(self) -> None:
        """Have higher prices, and others next month."""
        services = self._content["services"]
        for rule in services["instance"]["fields"]["flavor_name"]["mappings"]:
            if rule["value"] != "m1.small":
                rule["cost"] = str(Decimal(rule["cost"]) * Decimal("1.1"))
        services["volume.size"]["mappings"] = [
            {"cost": "0.0003", "type": "flat", "end": "2026-04-01T00:00:00Z"},
            {"cost": "0.0004", "type": "flat", "start": "2026-04-01T00:00:00Z"},
        ]

    def add_prices(self, *metrics: str) -> None:
        """Have prices of more metrics."""
        for metric in metrics:
            rule = {"cost": "0.0002", "type": "flat"}
            self._content["services"][metric] = {"mappings": [rule]}

    def apply(self, now: datetime.datetime, comment: str) -> None:
        """Apply the rules."""
        self._rules.write_text(yaml.safe_dump(self._content), encoding="utf-8")
        options = ("--comment", comment, "--yes", "--allow-free")
        run_ratekit(self._folder, now, "hashmap", "apply", str(self._rules), *options)
