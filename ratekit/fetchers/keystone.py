"""Projects on which ratekit's own user has the rating role."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from keystoneauth1 import adapter

from ratekit import errors, interfaces, keystone
from ratekit.domain.scope import Scope

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
                Scope(project["id"], project["name"])
                for project in self._projects()
                if project["enabled"] or not self._ignore_disabled
            ]
        rated = self._with_role()
        if self._ignore_disabled:
            enabled = {project["id"] for project in self._projects() if project["enabled"]}
            rated = {id_: name for id_, name in rated.items() if id_ in enabled}
        return [Scope(id_, name) for id_, name in rated.items()]

    def _with_role(self) -> dict[str, str]:
        """Id and name of each project with the role, each once however often it is granted."""
        with keystone.explained("Keystone"):
            user = self._identity.get_user_id()
        assignments = self._listed(
            "role_assignments", {"user.id": user, "effective": "", "include_names": ""}
        )
        return {
            assignment["scope"]["project"]["id"]: assignment["scope"]["project"]["name"]
            for assignment in assignments
            if assignment["role"]["name"] == self._role_name and "project" in assignment["scope"]
        }

    def _projects(self) -> list[Any]:
        return [one for one in self._listed("projects", {}) if not one.get("is_domain")]

    def _listed(self, collection: str, query: dict[str, str | None]) -> list[Any]:
        """Return a whole collection.

        A list that is cut off by Keystone's list_limit would silently drop projects from
        billing, so it is no answer.
        """
        with keystone.explained(f"Keystone's list of {collection}"):
            answer = self._identity.get(f"/{collection}", params=query)
        try:
            body = answer.json()
            listed = body[collection]
        except (ValueError, KeyError, TypeError):
            raise errors.TryLater(
                f"Keystone's list of {collection} is not what it should be"
            ) from None
        if body.get("truncated"):
            raise errors.OperatorError(
                f"Keystone cut its list of {collection} off; raise list_limit in keystone.conf"
            )
        return list(listed)
