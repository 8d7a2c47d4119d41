"""Gnocchi's API and metricd over PostgreSQL and files."""

from __future__ import annotations

import dataclasses
import importlib.resources
import signal

from tests.stack.folder import Folder, write_private
from tests.stack.keystone import User
from tests.stack.postgres import Postgres
from tests.stack.processes import Command, Process, Processes
from tests.stack.servers import QUIET, Door, answers, start_server, tool

LIMIT = 60.0
"""Seconds for each step."""
_WORKERS = 2
_SACKS = 16
"""Portions of the backlog. Gnocchi's 128 cost an idle metricd more than the work does."""

_CONFIGURATION = """\
[DEFAULT]
# Or the API's log begins with its whole configuration.
verbose = false
parallel_operations = 1
[api]
auth_mode = keystone
paste_config = {home}/api-paste.ini
[indexer]
url = {database}
[storage]
driver = file
file_basepath = {home}/data
[incoming]
driver = file
file_basepath = {home}/data
[metricd]
workers = {workers}
metric_processing_delay = 1
metric_reporting_delay = -1
[keystone_authtoken]
auth_type = password
auth_url = {auth_url}
www_authenticate_uri = {auth_url}
username = {user.name}
password = {user.password}
project_name = {user.project}
user_domain_id = default
project_domain_id = default
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Gnocchi:
    """A running API and its worker."""

    api: Process
    metricd: Process


def start(
    processes: Processes, folder: Folder, door: Door, postgres: Postgres, auth_url: str, user: User
) -> Gnocchi:
    """Start the API and metricd; Keystone at ``auth_url`` need not run yet.

    :param user: who may validate tokens
    :raises StackError: they do not start
    """
    config = folder.gnocchi / "gnocchi.conf"
    settings = _CONFIGURATION.format(
        home=folder.gnocchi,
        database=postgres.url("psycopg2", "gnocchi"),
        workers=_WORKERS,
        auth_url=auth_url,
        user=user,
    )
    write_private(config, settings)
    write_private(folder.gnocchi / "api-paste.ini", _paste(str(config)))
    # The API opens index and storage with its first request, so it may load meanwhile.
    api = start_server(processes, "gnocchi", door, config)
    upgrade = (tool("gnocchi-upgrade"), "--config-file", config, "--sacks-number", str(_SACKS))
    processes.run(Command("gnocchi-upgrade", upgrade, QUIET), LIMIT)
    daemon = (tool("gnocchi-metricd"), "--config-file", config)
    # Asked politely while PostgreSQL goes too, it clings to its coordinator for a long time.
    metricd = processes.start(Command("gnocchi-metricd", daemon, QUIET, stop=signal.SIGKILL))
    # It never says that it is ready; what it has to do tells.
    processes.watch(metricd, lambda: True, LIMIT)
    processes.watch(api, lambda: answers(door), LIMIT)
    return Gnocchi(api, metricd)


def _paste(config: str) -> str:
    """Gnocchi's own pipeline.

    The filter ``keystone_authtoken`` does not share the application's
    configuration: unless it is told the file it knows no password.
    """
    stock = importlib.resources.files("gnocchi.rest").joinpath("api-paste.ini").read_text()
    section = "[filter:keystone_authtoken]\n"
    return stock.replace(section, f"{section}oslo_config_file = {config}\n")
