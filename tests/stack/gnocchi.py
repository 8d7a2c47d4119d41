"""Gnocchi's API and metricd over PostgreSQL and files."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import signal
from collections.abc import Iterator

from tests.stack.folder import Folder, write_private
from tests.stack.keystone import User
from tests.stack.postgres import Postgres
from tests.stack.processes import Command, Process, Processes
from tests.stack.servers import QUIET, BoundPort, answers, start_server, tool

LIMIT = 60.0
"""Seconds for each step."""
_WORKERS = 2
_SACKS = 4
"""Parts of the backlog. Gnocchi's default of 128 costs an idle metricd more than the work."""

_CONFIGURATION = """\
[DEFAULT]
# Else the API logs its whole configuration at the start.
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
    processes: Processes,
    folder: Folder,
    port: BoundPort,
    postgres: Postgres,
    auth_url: str,
    user: User,
) -> Gnocchi:
    """Start the API and metricd; Keystone at ``auth_url`` need not run yet.

    :param user: a user that may validate tokens
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
    # The API opens index and storage at its first request, so it can load during the upgrade.
    api = start_server(processes, "gnocchi", port, config)
    upgrade = (tool("gnocchi-upgrade"), "--config-file", config, "--sacks-number", str(_SACKS))
    processes.run(Command("gnocchi-upgrade", upgrade, QUIET), LIMIT)
    daemon = (tool("gnocchi-metricd"), "--config-file", config)
    # After SIGTERM, while PostgreSQL ends too, it waits for its coordinator for a long time.
    metricd = processes.start(Command("gnocchi-metricd", daemon, QUIET, stop=signal.SIGKILL))
    # It does not report that it is ready; a failed start shows when it processes measures.
    processes.watch(metricd, lambda: True, LIMIT)
    processes.watch(api, lambda: answers(port), LIMIT)
    return Gnocchi(api, metricd)


@contextlib.contextmanager
def another_api(stack_folder: Folder, folder: Folder, options: str) -> Iterator[str]:
    """Run one more API of a running stack, with other options; yield its root.

    :param folder: an empty folder for it
    :param options: lines of the section ``[api]``
    :raises StackError: it does not start
    """
    folder.create()
    folder.prepare()
    settings = (stack_folder.gnocchi / "gnocchi.conf").read_text()
    config = folder.gnocchi / "gnocchi.conf"
    write_private(config, settings.replace("[api]\n", f"[api]\n{options}\n"))
    processes, port = Processes(folder), BoundPort.any()
    try:
        api = start_server(processes, "gnocchi", port, config)
        processes.watch(api, lambda: answers(port), LIMIT)
        processes.leave()
        yield port.url
    finally:
        processes.stop()


def _paste(config: str) -> str:
    """Return Gnocchi's own pipeline with the path of the configuration.

    The filter ``keystone_authtoken`` does not share the application's configuration: without
    the path it has no password.
    """
    original = importlib.resources.files("gnocchi.rest").joinpath("api-paste.ini").read_text()
    section = "[filter:keystone_authtoken]\n"
    return original.replace(section, f"{section}oslo_config_file = {config}\n")
