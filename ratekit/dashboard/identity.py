"""Keystone, as a reader uses it: tokens, and the projects he may choose from."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
from collections.abc import Iterator, Mapping, Sequence
from http import cookiejar
from typing import Any

import requests
from keystoneauth1 import access, exceptions, loading, session
from keystoneauth1.identity import v3

from ratekit import errors, http_errors, http_limits
from ratekit.api.faults import Fault
from ratekit.redact import redact_urls

LOG = logging.getLogger(__name__)

_GROUP = "keystone_authtoken"
#: Seconds to wait for a connection, and for each answer.
_TIMEOUT = 10
_MFA = (
    "your account needs more than a password; get a token by 'openstack token issue' with all of "
    "them, and log in with it"
)
_REFUSED = "Keystone refused the log-in: wrong user name, password, domain or project"
_TOKEN_REFUSED = "Keystone refused the token: it is wrong, or has expired, or is revoked"
_NO_RESCOPE = (
    "this cloud does not let a token change its project; log out, and log in to the other project"
)
_AWAY = "Keystone does not answer; try again later"
_REFUSALS = (
    exceptions.BadRequest,
    exceptions.Unauthorized,
    exceptions.Forbidden,
    exceptions.NotFound,
)
#: What Keystone says when it says nothing.
_GENERIC = "The request you have made requires authentication."


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody has typed to log in.

    :ivar project: name; empty: the default project, or the first
    """

    user: str
    password: str
    user_domain: str
    project: str = ""
    project_domain: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """A token of Keystone.

    :ivar expires: aware, UTC
    :ivar project: its id; None: it is for none
    """

    token: str
    expires: datetime.datetime
    project: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """A project that a reader has a role in."""

    id: str
    name: str
    domain: str


class Identity:
    """Asks the Keystone of [keystone_authtoken]; all methods raise :class:`Fault`.

    :param conf: a loaded ``ConfigOpts``
    """

    def __init__(self, conf: Any) -> None:
        section = conf[_GROUP]
        self._url = _find_url(conf)
        http = requests.Session()
        # All readers share it: what is set for one is not sent for another.
        http.cookies.set_policy(cookiejar.DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("http://", "https://"):
            http.mount(scheme, http_limits.LimitedAdapter())
        self._session = session.Session(
            session=http,
            verify=False if section.insecure else section.cafile or True,
            cert=(section.certfile, section.keyfile) if section.keyfile else section.certfile,
            timeout=section.http_connect_timeout or _TIMEOUT,
            # Passwords go to no other address.
            redirect=False,
        )

    def log_in(self, credentials: Credentials) -> Grant:
        """Return a token for a password: of the project, or a default one, or else of none."""
        scope: dict[str, Any] = {}
        if credentials.project:
            domain = credentials.project_domain or credentials.user_domain
            scope = {"project_name": credentials.project, "project_domain_name": domain}
        auth = v3.Password(
            self._url,
            username=credentials.user,
            password=credentials.password,
            user_domain_name=credentials.user_domain,
            **scope,
        )
        with _explaining(_REFUSED):
            ref = auth.get_access(self._session)
            grant = _grant(ref)
        return grant if _has_scope(ref) else self._choose_project(grant)

    def accept(self, token: str) -> Grant:
        """Return a token that somebody has from elsewhere, after Keystone has checked it."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        with _explaining(_TOKEN_REFUSED):
            response = self._get("/auth/tokens?nocatalog", headers)
            ref = access.create(resp=response, auth_token=token)
            grant = _grant(ref)
        return grant if _has_scope(ref) else self._choose_project(grant)

    def switch(self, token: str, project: str) -> Grant:
        """Return a token for another project.

        :param project: id
        """
        with _explaining(_NO_RESCOPE):
            auth = v3.Token(self._url, token, project_id=project)
            return _grant(auth.get_access(self._session))

    def list_projects(self, token: str) -> Sequence[Project]:
        """Return the projects that a token's user has a role in, by name."""
        with _explaining(_TOKEN_REFUSED):
            response = self._get("/auth/projects", {"X-Auth-Token": token})
            rows = response.json()["projects"]
            projects = [
                Project(row["id"], row["name"], row.get("domain_id") or "")
                for row in rows
                if row.get("enabled", True)
            ]
        return sorted(projects, key=lambda project: (project.name.lower(), project.id))

    def revoke(self, token: str) -> None:
        """Make Keystone refuse a token from now on."""
        with _explaining(_TOKEN_REFUSED):
            headers = {"X-Auth-Token": token, "X-Subject-Token": token}
            self._session.delete(f"{self._url}/auth/tokens", headers=headers, authenticated=False)

    def _choose_project(self, grant: Grant) -> Grant:
        """Return a token for the first project; the same one if there is none."""
        projects = self.list_projects(grant.token)
        return self.switch(grant.token, projects[0].id) if projects else grant

    def _get(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        return self._session.get(f"{self._url}{path}", headers=headers, authenticated=False)


def _find_url(conf: Any) -> str:
    """Return the URL of the identity API's third version.

    :raises ratekit.errors.OperatorError: the configuration has none
    """
    loading.register_auth_conf_options(conf, _GROUP)
    try:
        plugin = loading.load_auth_from_conf_options(conf, _GROUP)
    except exceptions.AuthPluginException as error:
        raise errors.OperatorError(f"[{_GROUP}] {error}") from None
    url = getattr(plugin, "auth_url", None) or conf[_GROUP].www_authenticate_uri
    if not url:
        raise errors.OperatorError(
            f"[{_GROUP}] auth_url: expected Keystone's URL, where readers of the pages log in"
        )
    return f"{url.rstrip('/').removesuffix('/v3')}/v3"


def _grant(ref: Any) -> Grant:
    expires = ref.expires.astimezone(datetime.UTC)
    return Grant(ref.auth_token, expires, ref.project_id)


def _has_scope(ref: Any) -> bool:
    return bool(ref.project_scoped or ref.domain_scoped or ref.system_scoped)


@contextlib.contextmanager
def _explaining(refusal: str) -> Iterator[None]:
    """Turn errors into faults for the reader; the log has what only operators may see."""
    try:
        yield
    except exceptions.MissingAuthMethods:
        raise Fault(403, _MFA) from None
    except _REFUSALS as error:
        raise Fault(403, f"{refusal}{_reason(error)}") from None
    except (exceptions.ClientException, errors.RatekitError) as error:
        LOG.error("Keystone cannot log anybody in: %s", http_errors.summarize(error))
        raise Fault(503, _AWAY, Retry_After="10") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        LOG.error("Keystone's answer cannot be read: %r", error)
        raise Fault(503, _AWAY, Retry_After="10") from None


def _reason(error: exceptions.HttpError) -> str:
    """Return what Keystone says of it, unless that is nothing."""
    text = redact_urls(str(error.message or ""))
    return "" if not text or _GENERIC in text else f" ({text})"
