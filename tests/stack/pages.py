"""The pages of ratekit over a stack, and who may log in there."""

from __future__ import annotations

import dataclasses
import re
import secrets
import sys
from pathlib import Path

from keystoneauth1.session import Session

from tests.stack.errors import StackError
from tests.stack.folder import Folder, write_private
from tests.stack.keystone import User
from tests.stack.processes import Command, Processes
from tests.stack.servers import QUIET
from tests.stack.stack import Stack

SERVER = "ratekit-api"
LIMIT = 60.0
"""Seconds until it listens."""
_START = "import sys; from ratekit.cmd import launch; sys.exit(launch.api())"
_LISTENING = re.compile(r"listening on (http://\S+)")
_CONF = """\
[api]
dashboard = true
port = 0

[keystone_authtoken]
auth_section = ratekit_auth
www_authenticate_uri = {url}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Pages:
    """Pages that are served.

    :ivar url: of the first page
    :ivar operator: sees all projects
    :ivar tenant: sees one project
    """

    url: str
    operator: User
    tenant: User

    def __str__(self) -> str:
        """Return what somebody needs to log in, in indented lines."""
        lines = [f"    {self.url}"]
        for title, user in (("operator", self.operator), ("tenant", self.tenant)):
            lines.append(
                f"    as {title}: user {user.name}, password {user.password}, "
                f"project {user.project}"
            )
        return "\n".join(lines)


def start(stack: Stack, project: str, folder: Folder, conf: Path) -> Pages:
    """Serve pages until the processes of ``folder`` are stopped.

    :param project: name of the tenant's project
    :param folder: of logs and records of processes
    :param conf: of ratekit
    :raises StackError: the server does not start, or Keystone refuses
    """
    settings = folder.path / "pages.conf"
    write_private(settings, _CONF.format(url=stack.keystone_url))
    tenant = _create_member(stack, project)
    processes, log = Processes(folder), folder.log(SERVER)
    files = ("--config-file", conf, "--config-file", settings)
    server = processes.start(Command(SERVER, [sys.executable, "-c", _START, *files], QUIET))
    processes.watch(server, lambda: bool(_LISTENING.search(log.read_text())), LIMIT)
    processes.leave()
    listening = _LISTENING.search(log.read_text())
    assert listening, "it is ready"
    return Pages(f"{listening[1]}/dashboard", stack.admin, tenant)


def _create_member(stack: Stack, project: str) -> User:
    """Create a user who is a member of a project."""
    if project not in stack.project_ids:
        raise StackError(f"the stack has no project {project!r}")
    session = stack.admin_session()
    user = User(f"tenant-{secrets.token_hex(2)}", secrets.token_hex(8), project)
    project_id = stack.project_ids[project]
    body = {
        "name": user.name,
        "password": user.password,
        "domain_id": "default",
        "default_project_id": project_id,
    }
    url = f"{stack.keystone_url}/users"
    user_id = session.post(url, json={"user": body}).json()["user"]["id"]
    role = _role(session, stack.keystone_url, "member")
    session.put(f"{stack.keystone_url}/projects/{project_id}/users/{user_id}/roles/{role}")
    return user


def _role(session: Session, url: str, name: str) -> str:
    response = session.get(f"{url}/roles?name={name}").json()
    return str(response["roles"][0]["id"])
