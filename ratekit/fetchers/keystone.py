"""Projects on which ratekit's own user has the rating role."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeVar

from keystoneauth1 import adapter
from oslo_config import cfg

from ratekit import errors, http_clock, interfaces, keystone
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.scope import Scope

T = TypeVar("T")
GROUP = "fetcher_keystone"

OPTS = [
    cfg.StrOpt(
        "role_name",
        default="rating",
        help="A project is rated if ratekit's own user has this role on it, whether granted "
        "directly, through a group or by inheritance. If no project has the role, ratekit "
        "assumes a misconfiguration.",
    ),
    cfg.BoolOpt(
        "ignore_rating_role",
        default=False,
        help="Rate every project, regardless of roles.",
    ),
    cfg.BoolOpt(
        "ignore_disabled_tenants",
        default=False,
        help="Do not rate disabled projects. By default they are rated, because they still "
        "hold volumes and addresses.",
    ),
    keystone.interface_option("public"),
    cfg.StrOpt(
        "endpoint_override",
        help="URL of Keystone's identity API, such as https://keystone.example/v3. If not set, "
        "ratekit takes it from the service catalogue.",
    ),
]


class KeystoneFetcher(interfaces.Fetcher):
    """Lists all projects with one request to Keystone.

    Keystone resolves groups and inheritance itself in its effective role assignments.
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
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return the options of ``[fetcher_keystone]``."""
        return {GROUP: [*OPTS, *keystone.connection_options()]}

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Require that endpoint_override is a URL."""
        url = conf[GROUP].endpoint_override
        if url and not keystone.is_web_url(url):
            yield GROUP, "endpoint_override", "expected a URL such as https://keystone.example/v3"

    @classmethod
    def credential_sections(cls, conf: Any) -> Sequence[str]:
        """Return ``[fetcher_keystone]``: every request needs a token."""
        return [GROUP]

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
        """Return the projects to rate, including disabled ones unless configured otherwise.

        :raises ratekit.errors.TryLater: Keystone did not answer, or not completely
        :raises ratekit.errors.OperatorError: Keystone refused, or no project has the role
        """
        if self._ignore_role:
            return [
                project.scope
                for project in self._projects()
                if project.enabled or not self._ignore_disabled
            ]
        scopes = self._scopes_with_role()
        if self._ignore_disabled:
            enabled = {project.scope.id for project in self._projects() if project.enabled}
            return [scope for scope in scopes if scope.id in enabled]
        return scopes

    def read_clock(self) -> ClockReading | None:
        """Ask for the identity API's version, and compare the date of the response.

        :raises: as :meth:`scopes`
        """
        with keystone.translate_errors("Keystone", keystone.sections_of(self._identity)):
            return http_clock.read("Keystone", lambda: self._identity.get("", raise_exc=False))

    def _scopes_with_role(self) -> list[Scope]:
        """Return the projects with the role, each once even if it is granted repeatedly."""
        with keystone.translate_errors("Keystone", keystone.sections_of(self._identity)):
            user = self._identity.get_user_id()
        query = {"user.id": user, "effective": "", "include_names": ""}
        grants = self._list("role_assignments", query, _grant)
        scopes = {scope.id: scope for role, scope in grants if role == self._role_name and scope}
        if not scopes:
            # Probably the role was removed or is misspelt. Projects that are not listed are
            # not charged.
            raise errors.OperatorError(
                f"Keystone: ratekit's user has the role {self._role_name!r} on no project; "
                "assuming a misconfiguration. Nothing is rated until it has the role on at "
                "least one"
            )
        return list(scopes.values())

    def _projects(self) -> list[_Project]:
        projects = self._list("projects", {}, _project)
        return [project for project in projects if not project.is_domain]

    def _list(
        self, collection: str, query: dict[str, str | None], read: Callable[[Any], T]
    ) -> list[T]:
        """Return a complete collection, each member converted by ``read``.

        A list that Keystone has truncated is an error, because projects that it does not have
        would not be billed.
        """
        sections = keystone.sections_of(self._identity)
        with keystone.translate_errors(f"Keystone's list of {collection}", sections):
            response = self._identity.get(f"/{collection}", params=query)
        try:
            body = response.json()
            members = [read(member) for member in body[collection]]
            truncated = body.get("truncated")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise errors.TryLater(
                f"cannot parse Keystone's list of {collection}: {error!r}"
            ) from None
        if truncated:
            raise errors.OperatorError(
                f"Keystone truncated its list of {collection}; raise list_limit in keystone.conf"
            )
        return members


class _Project(NamedTuple):
    scope: Scope
    enabled: bool
    is_domain: bool


def _project(member: Any) -> _Project:
    return _Project(
        Scope(member["id"], member["name"]), member["enabled"], member.get("is_domain", False)
    )


def _grant(member: Any) -> tuple[str, Scope | None]:
    """Return the role's name and its project, or None if it is not on a project."""
    project = member["scope"].get("project")
    scope = None if project is None else Scope(project["id"], project["name"])
    return member["role"]["name"], scope
