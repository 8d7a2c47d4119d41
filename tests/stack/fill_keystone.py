"""Write a plan's projects and grants into Keystone."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping

from tests.stack.keystone import REGION, User
from tests.stack.plan import Grant, Project
from tests.stack.rest import Rest

SERVICE_USER = "ratekit"
SERVICE_PROJECT = "service"
ROLE = "rating"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What Keystone made of a plan.

    :ivar user: the service user
    :ivar project_ids: by name: the plan's projects and the service project
    """

    user: User
    user_id: str
    project_ids: Mapping[str, str]


def fill(rest: Rest, metric_url: str, projects: Iterable[Project]) -> Identity:
    """Create the service user, the projects, who may rate them, and Gnocchi's endpoints.

    :raises StackError: Keystone refuses
    """
    filling = _Filling(rest)
    filling.register("metric", "gnocchi", metric_url)
    user = User(SERVICE_USER, secrets.token_hex(16), SERVICE_PROJECT)
    identity = Identity(user, filling.service_user(user), filling.ids)
    filling.projects(list(projects), identity.user_id)
    return identity


class _Filling:
    """The steps; ``ids`` collects the ids of projects by name."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.ids: dict[str, str] = {}

    def register(self, kind: str, name: str, url: str) -> None:
        """Put a service into the catalog."""
        service = self._create("service", name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            self._create(
                "endpoint", service_id=service, interface=interface, url=url, region_id=REGION
            )

    def service_user(self, user: User) -> str:
        """Create a user who is admin in a project of its own, hence sees all; return its id."""
        self.ids[user.project] = self._create("project", name=user.project, domain_id="default")
        user_id = self._create("user", name=user.name, password=user.password, domain_id="default")
        admin = self._rest.ask("GET", "/roles?name=admin")["roles"][0]["id"]
        self._put(f"/projects/{self.ids[user.project]}/users/{user_id}/roles/{admin}")
        return user_id

    def projects(self, projects: list[Project], user_id: str) -> None:
        """Create projects, parents before children, and let the user rate them."""
        role = self._create("role", name=ROLE)
        group = self._create("group", name="raters", domain_id="default")
        self._put(f"/groups/{group}/users/{user_id}")
        for project in projects:
            self._project(project)
            self._grant(project, role, user_id, group)
            if not project.enabled:
                change = {"project": {"enabled": False}}
                self._rest.ask("PATCH", f"/projects/{self.ids[project.name]}", change)

    def _project(self, project: Project) -> None:
        facts = {"name": project.name, "domain_id": "default"}
        if project.parent:
            facts["parent_id"] = self.ids[project.parent]
        self.ids[project.name] = self._create("project", **facts)

    def _grant(self, project: Project, role: str, user_id: str, group: str) -> None:
        own = f"/projects/{self.ids[project.name]}"
        if project.grant is Grant.DIRECT:
            self._put(f"{own}/users/{user_id}/roles/{role}")
        elif project.grant is Grant.GROUP:
            self._put(f"{own}/groups/{group}/roles/{role}")
        elif project.grant is Grant.INHERITED:
            above = self.ids[project.parent or ""]
            path = f"/OS-INHERIT/projects/{above}/users/{user_id}/roles/{role}"
            self._put(f"{path}/inherited_to_projects")

    def _create(self, kind: str, **facts: str) -> str:
        answer = self._rest.ask("POST", f"/{kind}s", {kind: facts})
        return str(answer[kind]["id"])

    def _put(self, path: str) -> None:
        self._rest.ask("PUT", path)
