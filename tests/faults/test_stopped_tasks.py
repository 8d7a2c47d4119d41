"""A processor that carries out tasks stops after SIGTERM, also on SQLite."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from decimal import Decimal

from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract.given import HOUR, batch, hour, list_scopes, note, window

HOURS = 1500
METRICS = "metrics:\n  cpu: {unit: u, groupby: [id], extra_args: {resource_type: i}}\n"
CONF = """\
[database]
connection = {url}
[collect]
metrics_conf = {folder}/metrics.yml
[fetcher]
backend = static
[fetcher_static]
scopes = a
[orchestrator]
batch_frames = 120
retry_seconds = 600
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_user = admin
gnocchi_endpoint = http://127.0.0.1:1
"""


def storage_with_task(url: str) -> Storage:
    """Return storage with months of a scope at the old price, and a task to price them again."""
    migrate.upgrade(url)
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    rule = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(3), CostType.FLAT))
    storage.rules.change(0, [], [rule], note())
    series = [
        RatedSeries(
            Series(
                "a", "cpu", "u", {"id": f"r{n}"}, {}, [(hour(k), Decimal(1)) for k in range(HOURS)]
            ),
            [Decimal(1)] * HOURS,
        )
        for n in range(20)
    ]
    states = list_scopes(storage, "a")
    storage.ledger.commit(batch(states, *series, periods=window(HOURS), metrics=("cpu",), rules=1))
    order = Order(Scope("a"), hour(0), hour(HOURS), HOUR, TaskKind.RATES)
    storage.tasks.add([order], TaskNote("prices were wrong", "ann@example", hour(HOURS)))
    return storage


def test_sigterm_ends_a_processor_in_the_middle_of_a_task(tmp_path: pathlib.Path) -> None:
    url = f"sqlite:///{tmp_path}/r.sqlite"
    storage = storage_with_task(url)
    (tmp_path / "metrics.yml").write_text(METRICS)
    (tmp_path / "r.conf").write_text(CONF.format(url=url, folder=tmp_path))
    program = pathlib.Path(sys.executable).with_name("ratekit-processor")
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen(
            [program, "--config-file", tmp_path / "r.conf"], stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 60
            while not storage.tasks.periods(1) and time.monotonic() < deadline:
                time.sleep(0.05)
            daemon.terminate()
            code = daemon.wait(60)
        finally:
            daemon.kill()
            daemon.wait()
    periods = len(storage.tasks.periods(1))
    assert code == 0, (tmp_path / "log").read_text()
    assert 0 < periods < HOURS
    [(task, _)] = storage.tasks.tasks()
    assert task.next_begin == hour(periods)
