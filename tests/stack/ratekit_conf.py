"""Writes a configuration with which ratekit rates the stack."""

from __future__ import annotations

from pathlib import Path

from tests.stack.folder import write_private
from tests.stack.stack import Stack

METRICS = Path(__file__).parents[2] / "etc" / "ratekit" / "metrics.yml"

_TEXT = """\
[DEFAULT]

[database]
connection = sqlite:///{database}

[collect]
collector = gnocchi
period = 3600
wait_periods = 2
metrics_conf = {metrics}
scope_key = project_id
start = {start}

[fetcher]
backend = keystone

[fetcher_keystone]
auth_section = ratekit_auth

[collector_gnocchi]
auth_section = ratekit_auth

[ratekit_auth]
auth_type = password
auth_url = {stack.keystone_url}
username = {stack.user.name}
password = {stack.user.password}
project_name = {stack.user.project}
user_domain_id = default
project_domain_id = default
"""


def write(stack: Stack, database: Path) -> None:
    """Write ``stack.conf_path``, mode 0600.

    :param database: SQLite file for ratekit
    :raises OSError: it cannot be written
    """
    text = _TEXT.format(
        database=database,
        metrics=METRICS,
        start=stack.plan().begin.isoformat(),
        stack=stack,
    )
    write_private(stack.conf_path, text)
