"""Who reads the pages, and what Keystone has for that."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tests.stack.api import Api
from tests.stack.keystone import User
from tests.stack.stack import Stack

#: Projects that are rated besides the stack's: one whose name is an attack.
SCRIPT = "<script>document.title='attacked'</script>"
FORMULA = "=1+1"
#: The stack's project of unusual archive policies, which is rated only here, and late.
LATE = "policies"


class Directory:
    """Keystone, as its administrator changes it.

    :ivar project_ids: by name
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._api = Api(stack.admin_session(), stack.keystone_url, stack.log("keystone-api"))
        self.project_ids = dict(stack.project_ids)

    def create_project(self, name: str) -> str:
        """Create a project that is rated; return its ID."""
        self.project_ids[name] = self._create("project", name=name, domain_id="default")
        self.rate(name)
        return self.project_ids[name]

    def rate(self, project: str) -> None:
        """Let the service user rate a project."""
        self._grant(project, self._stack.user_id, "rating")

    def create_user(self, name: str, projects: Sequence[str]) -> User:
        """Create a member of projects, the first of which is the default."""
        user = User(name, secrets.token_hex(16), projects[0])
        user_id = self._create(
            "user", name=name, password=user.password, domain_id="default",
            default_project_id=self.project_ids[projects[0]],
        )  # fmt: skip
        for project in projects:
            self._grant(project, user_id, "member")
        return user

    def _grant(self, project: str, user_id: str, role: str) -> None:
        roles = self._api.request("GET", f"/roles?name={role}")["roles"]
        path = f"/projects/{self.project_ids[project]}/users/{user_id}/roles/{roles[0]['id']}"
        self._api.request("PUT", path)

    def _create(self, kind: str, **facts: str) -> str:
        return str(self._api.request("POST", f"/{kind}s", {kind: facts})[kind]["id"])
