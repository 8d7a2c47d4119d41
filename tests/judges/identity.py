"""A real Keystone with a rating service in its catalog, two projects and their users."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.judges import live_api
from tests.stack import keystone
from tests.stack.api import Api
from tests.stack.folder import Folder
from tests.stack.keystone import REGION, User
from tests.stack.processes import Processes
from tests.stack.servers import BoundPort

#: Projects, each with a member of the same name with this suffix.
PROJECTS = ("alpha", "beta")
MEMBER_SUFFIX = "-member"
_SERVICE = User("ratekit", secrets.token_hex(16), "service")

_CONF = """
[keystone_authtoken]
auth_type = password
auth_url = {url}
www_authenticate_uri = {url}
username = {user.name}
password = {user.password}
project_name = {user.project}
user_domain_id = default
project_domain_id = default
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Cloud:
    """A Keystone that runs.

    :ivar url: with ``/v3``
    :ivar admin: its administrator
    :ivar members: of each project, by the project's name
    :ivar project_ids: by name
    """

    url: str
    admin: User
    members: Mapping[str, User]
    project_ids: Mapping[str, str]
    api: Api

    @property
    def conf(self) -> str:
        """Sections of ratekit.conf with which ratekit-api takes this Keystone's tokens."""
        return _CONF.format(url=self.url, user=_SERVICE)

    @contextmanager
    def serve(self, folder: pathlib.Path) -> Iterator[str]:
        """Run ratekit-api with the ``ratekit.conf`` of a folder as the cloud's rating service."""
        with live_api.serve(folder) as url:
            service = _create(self.api, "service", name="ratekit", type="rating")
            for interface in ("public", "internal", "admin"):
                _create(
                    self.api,
                    "endpoint",
                    **{"service_id": service, "interface": interface, "region_id": REGION},
                    url=url,
                )
            try:
                yield url
            finally:
                self.api.request("DELETE", f"/services/{service}")


@contextmanager
def run_keystone(directory: pathlib.Path, extra: str = "") -> Iterator[Cloud]:
    """Start a Keystone in a new folder, and stop it in the end.

    :param extra: more sections of its configuration
    """
    folder = Folder.at(directory)
    folder.create()
    folder.prepare()
    processes, port = Processes(folder), BoundPort.any()
    admin = User("admin", secrets.token_hex(16), "admin")
    url = keystone.auth_url(port)
    try:
        server = keystone.start(processes, folder, port, admin, extra)
        processes.leave()
        yield _fill(Api(admin.session(url), url, server.log), url, admin)
    finally:
        processes.stop()


def _fill(api: Api, url: str, admin: User) -> Cloud:
    """Create the service's user, and the projects and their members."""
    roles = {role["name"]: role["id"] for role in api.request("GET", "/roles")["roles"]}
    members = {
        name: User(f"{name}{MEMBER_SUFFIX}", secrets.token_hex(16), name) for name in PROJECTS
    }
    project_ids = {}
    for user, role in ((_SERVICE, "admin"), *((user, "member") for user in members.values())):
        project = _create(api, "project", name=user.project, domain_id="default")
        user_id = _create(
            api, "user", name=user.name, password=user.password, domain_id="default",
            default_project_id=project,
        )  # fmt: skip
        api.request("PUT", f"/projects/{project}/users/{user_id}/roles/{roles[role]}")
        project_ids[user.project] = project
    return Cloud(url, admin, members, project_ids, api)


def _create(api: Api, kind: str, **facts: str) -> str:
    return str(api.request("POST", f"/{kind}s", {kind: facts})[kind]["id"])
