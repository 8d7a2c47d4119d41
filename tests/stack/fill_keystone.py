"""Write a plan's projects and grants into Keystone."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping

from tests.stack.api import Api
from tests.stack.keystone import REGION, User
from tests.stack.plan import Grant, Project

SERVICE_USER = "ratekit"
SERVICE_PROJECT = "service"
ROLE = "rating"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """The user and projects that Keystone created for a plan.

    :ivar user: the service user
    :ivar project_ids: by name: the plan's projects and the service project
    """

    user: User
    user_id: str
    project_ids: Mapping[str, str]


def fill(api: Api, metric_url: str, projects: Iterable[Project]) -> Identity:
    """Create the service user, the projects, its roles on them, and Gnocchi's endpoints.

    :raises StackError: Keystone refuses
    """
    filling = _Filling(api)
    filling.register("metric", "gnocchi", metric_url)
    user = User(SERVICE_USER, secrets.token_hex(16), SERVICE_PROJECT)
    identity = Identity(user, filling.service_user(user), filling.ids)
    filling.projects(list(projects), identity.user_id)
    return identity


class _Filling:
    """The steps.

    :ivar ids: of projects, by name
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.ids: dict[str, str] = {}

    def register(self, kind: str, name: str, url: str) -> None:
        """Add a service to the catalog."""
        service = self._create("service", name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            self._create(
                "endpoint", service_id=service, interface=interface, url=url, region_id=REGION
            )

    def service_user(self, user: User) -> str:
        """Create a user; as admin of its own project it sees everything. Return its id."""
        self.ids[user.project] = self._create("project", name=user.project, domain_id="default")
        user_id = self._create("user", name=user.name, password=user.password, domain_id="default")
        admin = self._api.request("GET", "/roles?name=admin")["roles"][0]["id"]
        self._put(f"/projects/{self.ids[user.project]}/users/{user_id}/roles/{admin}")
        return user_id

    def projects(self, projects: list[Project], user_id: str) -> None:
        """Create projects, parents before children, and grant the user the role on them."""
        role = self._create("role", name=ROLE)
        group = self._create("group", name="raters", domain_id="default")
        self._put(f"/groups/{group}/users/{user_id}")
        for project in projects:
            self._project(project)
            self._grant(project, role, user_id, group)
            if not project.enabled:
                change = {"project": {"enabled": False}}
                self._api.request("PATCH", f"/projects/{self.ids[project.name]}", change)

    def _project(self, project: Project) -> None:
        facts = {"name": project.name, "domain_id": "default"}
        if project.parent:
            facts["parent_id"] = self.ids[project.parent]
        self.ids[project.name] = self._create("project", **facts)

    def _grant(self, project: Project, role: str, user_id: str, group: str) -> None:
        path = f"/projects/{self.ids[project.name]}"
        if project.grant is Grant.DIRECT:
            self._put(f"{path}/users/{user_id}/roles/{role}")
        elif project.grant is Grant.GROUP:
            self._put(f"{path}/groups/{group}/roles/{role}")
        elif project.grant is Grant.INHERITED:
            parent = self.ids[project.parent or ""]
            role_path = f"/OS-INHERIT/projects/{parent}/users/{user_id}/roles/{role}"
            self._put(f"{role_path}/inherited_to_projects")

    def _create(self, kind: str, **facts: str) -> str:
        response = self._api.request("POST", f"/{kind}s", {kind: facts})
        return str(response[kind]["id"])

    def _put(self, path: str) -> None:
        self._api.request("PUT", path)
