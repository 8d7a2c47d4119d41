"""A Keystone server with its own administrator."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.stack.folder import Folder, write_private
from tests.stack.processes import Command, Process, Processes
from tests.stack.servers import QUIET, BoundPort, answers, start_server, tool

LIMIT = 60.0
"""Seconds for each step."""
REGION = "RegionOne"

_CONFIGURATION = """\
[DEFAULT]
[database]
connection = sqlite:///{home}/keystone.sqlite
# A crash may lose data: waiting for the disk would take most of the time.
sqlite_synchronous = false
[cache]
# Else each request costs 200 statements. There is one process, so its memory suffices.
enabled = true
backend = dogpile.cache.memory
[auth]
# All by default, and one-time passwords.
methods = external,password,token,oauth1,mapped,application_credential,totp
[token]
provider = fernet
expiration = 604800
[fernet_tokens]
key_repository = {home}/fernet
[fernet_receipts]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
[identity]
# The cheapest: these passwords are valid for an hour.
password_hash_rounds = 4
"""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A user with a password; user and project are in the default domain."""

    name: str
    password: str
    project: str

    def session(self, auth_url: str) -> Session:
        """Return a session whose requests end after 60 s."""
        auth = v3.Password(
            auth_url=auth_url,
            username=self.name,
            password=self.password,
            project_name=self.project,
            user_domain_id="default",
            project_domain_id="default",
        )
        return Session(auth=auth, timeout=60)


def auth_url(port: BoundPort) -> str:
    """Return the URL that clients call ``auth_url``."""
    return f"{port.url}/v3"


def start(
    processes: Processes, folder: Folder, port: BoundPort, admin: User, extra: str = ""
) -> Process:
    """Start a server that has only its administrator and the administrator's project.

    :param extra: more sections of its configuration
    :raises StackError: it does not start
    """
    config = folder.keystone / "keystone.conf"
    write_private(config, _CONFIGURATION.format(home=folder.keystone) + extra)

    def manage(step: str, *args: str, **env: str) -> None:
        name = f"keystone-{step.replace('_', '-')}"
        command = (str(tool("keystone-manage")), "--config-file", str(config), step, *args)
        processes.run(Command(name, command, {**QUIET, **env}), LIMIT)

    # It requires the owner of the keys.
    owner = (f"--keystone-user={os.geteuid()}", f"--keystone-group={os.getegid()}")
    steps = (("db_sync",), ("fernet_setup", *owner), ("credential_setup", *owner))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for step in [pool.submit(manage, *step) for step in steps]:
            step.result()
    url = auth_url(port)
    server = start_server(processes, "keystone", port, config)
    # Passwords go through the environment: all users can see arguments.
    manage(
        "bootstrap",
        OS_BOOTSTRAP_USERNAME=admin.name,
        OS_BOOTSTRAP_PASSWORD=admin.password,
        OS_BOOTSTRAP_PROJECT_NAME=admin.project,
        OS_BOOTSTRAP_SERVICE_NAME="keystone",
        OS_BOOTSTRAP_REGION_ID=REGION,
        OS_BOOTSTRAP_PUBLIC_URL=url,
        OS_BOOTSTRAP_INTERNAL_URL=url,
        OS_BOOTSTRAP_ADMIN_URL=url,
    )
    processes.watch(server, lambda: answers(port), LIMIT)
    return server
