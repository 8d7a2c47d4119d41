"""ratekit on the replay: its files, its database and its rules."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import uuid
from collections.abc import Sequence
from typing import Any

from ratekit.admin import hashmap
from ratekit.cmd import configuration, startup
from ratekit.conf import collect
from ratekit.files import rules_file
from ratekit.storage import migrate
from ratekit.storage.sql import build_storage
from tests.bench.replay.resources import EPOCH

_CONF = """\
[database]
connection = {database}
[collect]
metrics_conf = {folder}/metrics.yml
start = {start}
[fetcher]
backend = static
[fetcher_static]
scopes = {scopes}
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_endpoint = {replay}
gnocchi_user = bench
[orchestrator]
{orchestrator}
"""

_METRICS = """\
metrics:
  cpu:
    unit: s
    factor: 1/1000000000
    groupby: [id, user_id, project_id]
    metadata: [flavor_name, flavor_id, vcpus]
    extra_args: {{resource_type: instance, aggregation_method: last,
                 re_aggregation_method: rate:sum, force_granularity: {granularity}}}
  memory.usage:
    unit: MiB
    groupby: [id, user_id, project_id]
    metadata: [flavor_name, flavor_id, vcpus]
    extra_args: {{resource_type: instance, aggregation_method: mean,
                 force_granularity: {granularity}}}
  volume.size:
    unit: GiB
    groupby: [id, user_id, project_id]
    metadata: [volume_type]
    extra_args: {{resource_type: volume, aggregation_method: mean,
                 force_granularity: {granularity}}}
  snapshot.size:
    unit: GiB
    prorate: true
    groupby: [id, user_id, project_id]
    extra_args: {{resource_type: snapshot, aggregation_method: mean,
                 force_granularity: {granularity}}}
"""

_RULES = """\
services:
  cpu:
    fields:
      flavor_name:
        mappings:
          - {value: m1.tiny, cost: "0.0011", type: flat, group: uptime}
          - {value: m1.small, cost: "0.0023", type: flat, group: uptime}
          - {value: m1.large, cost: "0.0097", type: flat, group: uptime}
      vcpus:
        thresholds:
          - {level: "4", cost: "0.95", type: rate, group: uptime}
  memory.usage:
    mappings:
      - {cost: "0.00000123", type: flat}
    thresholds:
      - {level: "4096", cost: "0.9", type: rate}
  volume.size:
    mappings:
      - {cost: "0.0003", type: flat}
    fields:
      volume_type:
        mappings:
          - {value: type-1, cost: "3", type: rate}
  snapshot.size:
    mappings:
      - {cost: "0.0001", type: flat}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """A configured ratekit with an empty ledger.

    :ivar conf_path: its ratekit.conf
    :ivar conf: the same, loaded
    """

    conf_path: pathlib.Path
    conf: Any


def scope_ids(count: int) -> list[str]:
    """Return the ids of the first scopes of the replay."""
    return [f"{number:032x}" for number in range(count)]


def deploy(
    folder: pathlib.Path,
    database: str,
    replay: str,
    scopes: Sequence[str],
    granularity: int = 3600,
    start: datetime.datetime = EPOCH,
    **orchestrator: float | str,
) -> Deployment:
    """Write the files, create the tables and apply the rules.

    :param folder: where to write; another one inside it is created
    :param database: URL of an empty database
    :param replay: URL of the replay
    :param start: of the first period of all scopes
    :param orchestrator: options of that section
    """
    folder = folder / uuid.uuid4().hex
    folder.mkdir()
    text = _CONF.format(
        database=database,
        folder=folder,
        start=start.isoformat(),
        scopes=",".join(scopes),
        replay=replay,
        orchestrator="\n".join(f"{name} = {value}" for name, value in orchestrator.items()),
    )
    path = folder / "ratekit.conf"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    metrics = _METRICS.format(granularity=granularity)
    (folder / "metrics.yml").write_text(metrics, encoding="utf-8")
    (folder / "rules.yml").write_text(_RULES, encoding="utf-8")
    migrate.upgrade(database)
    conf = configuration.load_for_rating("bench", ["--config-file", str(path)])
    _apply(conf, folder / "rules.yml")
    return Deployment(path, conf)


def _apply(conf: Any, path: pathlib.Path) -> None:
    storage = build_storage(conf)
    desired = rules_file.read(str(path))
    calendar = collect.build_calendar(conf)
    plan = hashmap.plan(storage.rules, desired, calendar, startup.now())
    hashmap.make_change(storage.rules, plan, startup.now(), "bench")
