"""Projects on which ratekit's own user has the rating role."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Self, TypeVar

from keystoneauth1 import adapter

from ratekit import errors, interfaces, keystone
from ratekit.domain.scope import Scope

T = TypeVar("T")
GROUP = "fetcher_keystone"


class KeystoneFetcher(interfaces.Fetcher):
    """Asks Keystone once for all projects, not once a project.

    Effective role assignments resolve groups and inheritance on the server.
    """

    def __init__(
        self,
        identity: adapter.Adapter,
        role_name: str,
        ignore_rating_role: bool,
        ignore_disabled_tenants: bool,
    ) -> None:
        self._identity = identity
        self._role_name = role_name
        self._ignore_role = ignore_rating_role
        self._ignore_disabled = ignore_disabled_tenants

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[fetcher_keystone]``; opens no connection.

        :raises ratekit.errors.OperatorError: the section does not say how to authenticate
        """
        section = conf[GROUP]
        return cls(
            keystone.open_adapter(conf, GROUP),
            section.role_name,
            section.ignore_rating_role,
            section.ignore_disabled_tenants,
        )

    def scopes(self) -> Collection[Scope]:
        """Return the projects to rate, disabled ones included unless configured otherwise.

        :raises ratekit.errors.TryLater: Keystone did not answer, or not in full
        :raises ratekit.errors.OperatorError: Keystone refused
        """
        if self._ignore_role:
            return [
                project.scope
                for project in self._projects()
                if project.enabled or not self._ignore_disabled
            ]
        rated = self._with_role()
        if self._ignore_disabled:
            enabled = {project.scope.id for project in self._projects() if project.enabled}
            return [scope for scope in rated if scope.id in enabled]
        return rated

    def _with_role(self) -> list[Scope]:
        """Projects with the role, each once however often it is granted."""
        with keystone.explained("Keystone"):
            user = self._identity.get_user_id()
        query = {"user.id": user, "effective": "", "include_names": ""}
        grants = self._listed("role_assignments", query, _grant)
        granted = {scope.id: scope for role, scope in grants if role == self._role_name and scope}
        if not granted:
            # Most likely it was taken away or is misspelt, and who is not listed is not charged.
            raise errors.OperatorError(
                f"Keystone: ratekit's user has the role {self._role_name!r} on no project: nobody "
                "is rated until it has"
            )
        return list(granted.values())

    def _projects(self) -> list[_Project]:
        return [one for one in self._listed("projects", {}, _project) if not one.is_domain]

    def _listed(
        self, collection: str, query: dict[str, str | None], read: Callable[[Any], T]
    ) -> list[T]:
        """Return a whole collection, each member as ``read`` understands it.

        A list that is cut off by Keystone's list_limit would silently drop projects from
        billing, so it is no answer.
        """
        section = keystone.section_of(self._identity)
        with keystone.explained(f"Keystone's list of {collection}", section):
            answer = self._identity.get(f"/{collection}", params=query)
        try:
            body = answer.json()
            listed = [read(member) for member in body[collection]]
            truncated = body.get("truncated")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise errors.TryLater(
                f"Keystone's list of {collection} is not what it should be"
            ) from None
        if truncated:
            raise errors.OperatorError(
                f"Keystone cut its list of {collection} off; raise list_limit in keystone.conf"
            )
        return listed


class _Project(NamedTuple):
    scope: Scope
    enabled: bool
    is_domain: bool


def _project(member: Any) -> _Project:
    return _Project(
        Scope(member["id"], member["name"]), member["enabled"], member.get("is_domain", False)
    )


def _grant(member: Any) -> tuple[str, Scope | None]:
    """Name of the role, and the project it is on; None: it is on something else."""
    project = member["scope"].get("project")
    scope = None if project is None else Scope(project["id"], project["name"])
    return member["role"]["name"], scope
