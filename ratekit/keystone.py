"""Authenticated sessions from a section of the configuration, and what their troubles mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import requests
from keystoneauth1 import adapter, exceptions, identity, loading, plugin, session

from ratekit import errors, http_errors
from ratekit.redact import redacted

#: What is wrong when Keystone does not believe ratekit, by the kind of authentication.
_DISBELIEVED = {
    "password": "wrong user name, password, domain or project",
    "applicationcredential": "wrong application credential",
    "token": "the token is not valid, or no longer",
}


class Session(session.Session):
    """A session whose failures to authenticate name Keystone's address and the section.

    :ivar group: section of the configuration that says how the service is reached
    :ivar section: section where the credentials stand; often the same
    """

    def __init__(self, group: str, section: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.group = group
        self.section = section

    def get_auth_headers(self, auth: plugin.BaseAuthPlugin | None = None) -> dict[str, str] | None:
        """Return the headers that say who ratekit is.

        :raises: as :func:`explained`
        """
        with self._authenticating(auth):
            return super().get_auth_headers(auth)

    def get_user_id(self, auth: plugin.BaseAuthPlugin | None = None) -> str | None:
        """Return the id of ratekit's own user.

        :raises: as :func:`explained`
        """
        with self._authenticating(auth):
            return super().get_user_id(auth)

    def get_endpoint(
        self,
        auth: plugin.BaseAuthPlugin | None = None,
        *,
        endpoint_override: str | None = None,
        **wanted: Any,
    ) -> str | None:
        """Return a service's address.

        :raises ratekit.errors.TryLater: the service does not tell its versions
        :raises ratekit.errors.Denied: the catalogue has no such endpoint
        """
        found = self._listed(auth, endpoint_override=endpoint_override, **wanted)
        if found is None:
            self._explain_missing(auth, wanted)
        return found

    def _listed(self, auth: plugin.BaseAuthPlugin | None, **wanted: Any) -> str | None:
        with self._authenticating(auth):
            try:
                return super().get_endpoint(auth, **wanted)
            except exceptions.EndpointNotFound:
                return None

    def _explain_missing(self, auth: plugin.BaseAuthPlugin | None, wanted: dict[str, Any]) -> None:
        filters = {key: wanted.get(key) for key in ("service_type", "interface", "region_name")}
        # Without versions nothing but the catalogue is asked.
        listed = self._listed(auth, skip_discovery=True, **filters)
        kind = filters["service_type"]
        if listed is not None:
            raise errors.TryLater(f"{redacted(listed)}, the endpoint for {kind}, does not answer")
        region = f" in region {filters['region_name']!r}" if filters["region_name"] else ""
        raise errors.AccessDenied(
            f"{_address(auth or self.auth)}: its catalogue has no endpoint of type {kind!r} with "
            f"interface {filters['interface']!r}{region}; "
            f"{_offered(self, auth or self.auth, kind)}; see [{self.group}]"
        )

    @contextlib.contextmanager
    def _authenticating(self, auth: plugin.BaseAuthPlugin | None) -> Iterator[None]:
        used = auth or self.auth
        with explained(_address(used), self.section):
            try:
                yield
            except exceptions.Unauthorized as error:
                raise self._disbelieved(used) from error
            except (exceptions.DiscoveryFailure, exceptions.NotFound) as error:
                # Of an application credential or a trust, Keystone says that it has none.
                if isinstance(error, exceptions.NotFound) and "Could not find" in str(error):
                    raise self._disbelieved(used) from error
                # Keystone's versions are asked for first, so that what is wrong hides behind.
                if isinstance(error.__context__, exceptions.ClientException):
                    with explained(_address(used), self.section):
                        _raise_unless_refused(error.__context__)
                raise errors.AccessDenied(
                    f"{_address(used)} is no Keystone; expected its URL, such as "
                    f"https://keystone.example/v3, as auth_url in [{self.section}]"
                ) from error

    def _disbelieved(self, used: plugin.BaseAuthPlugin | None) -> errors.AccessDenied:
        kind = type(used).__module__.rpartition(".")[2].replace("_", "")
        reason = _DISBELIEVED.get(kind, "wrong credentials")
        return errors.AccessDenied(f"{_address(used)}: {reason} in [{self.section}]")


def open_session(
    conf: Any, group: str, auth: plugin.BaseAuthPlugin | None = None
) -> session.Session:
    """Return a session with the TLS settings of ``[group]``.

    :param auth: how to authenticate; by default as the section says
    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[group]
    return Session(
        group,
        group if auth else section.auth_section or group,
        auth=auth or _auth(conf, group),
        session=_pooled(conf.orchestrator.max_threads),
        verify=False if section.insecure else section.cafile or True,
        cert=(section.certfile, section.keyfile) if section.keyfile else section.certfile or None,
        timeout=section.timeout,
    )


def _auth(conf: Any, group: str) -> plugin.BaseAuthPlugin:
    section = conf[group]
    # Once more, now that the files are read: only now is it known which section
    # ``auth_section`` names, and there auth_type must be known as an option.
    loading.register_auth_conf_options(conf, group)
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
    except exceptions.AuthPluginException as error:
        raise errors.OperatorError(f"[{section.auth_section or group}] {error}") from None
    if auth is None:
        raise errors.OperatorError(
            f"[{section.auth_section or group}] auth_type is not set; expected e.g. 'password'"
        )
    return auth


def _pooled(connections: int) -> requests.Session:
    """A session that keeps a connection for each green thread that may use it at once."""
    http = requests.Session()
    for scheme in ("http://", "https://"):
        http.mount(scheme, session.TCPKeepAliveAdapter(pool_maxsize=connections))
    return http


def open_adapter(conf: Any, group: str) -> adapter.Adapter:
    """Return an adapter for the identity API with the settings of ``[group]``."""
    return adapter.Adapter(
        open_session(conf, group),
        service_type="identity",
        interface="public",
        region_name=conf[group].region_name,
        min_version="3",
        max_version="3.latest",
        connect_retries=1,
    )


@contextlib.contextmanager
def explained(what: str, section: str = "") -> Iterator[None]:
    """Turn keystoneauth's errors into ratekit's, naming ``what`` was asked.

    :param section: of the configuration, to look into when it is refused
    :raises ratekit.errors.TryLater: no answer, or one that says to come back
    :raises ratekit.errors.Denied: refused
    """
    try:
        yield
    except exceptions.ClientException as error:
        raise _meaning(what, section, error) from error


def _meaning(what: str, section: str, error: exceptions.ClientException) -> errors.RatekitError:
    hint = f"; see [{section}]" if section else ""
    text = http_errors.one_line(error)
    match error:
        case exceptions.SSLError():
            return errors.AccessDenied(
                f"{what}: no trust by TLS: {text}{hint}, cafile and insecure"
            )
        case exceptions.ConnectionError():
            return errors.TryLater(f"{what} does not answer: {text}")
        case (
            exceptions.HttpServerError()
            | exceptions.TooManyRequests()
            | exceptions.RequestTimeout()
        ):
            rest = (
                None if error.response is None else http_errors.retry_after(error.response.headers)
            )
            return errors.TryLater(f"{what} answered {error.http_status}: {text}", rest)
        case exceptions.InvalidResponse():
            return errors.TryLater(f"{what} gave an answer that makes no sense{hint}")
    return errors.AccessDenied(f"{what} refused: {text}{hint}")


def _raise_unless_refused(error: exceptions.ClientException) -> None:
    if isinstance(error, exceptions.ConnectionError | exceptions.HttpServerError):
        raise error


def section_of(api: adapter.Adapter) -> str:
    """Return the section of the configuration that has the credentials of ``api``."""
    return api.session.section if isinstance(api.session, Session) else ""


def _address(auth: plugin.BaseAuthPlugin | None) -> str:
    url = getattr(auth, "auth_url", None)
    return f"Keystone at {redacted(url)}" if url else "Keystone"


def _offered(self: Session, auth: plugin.BaseAuthPlugin | None, kind: str | None) -> str:
    """Tell which endpoints of a kind there are."""
    found: Any = ()
    if isinstance(auth, identity.BaseIdentityPlugin) and kind:
        catalog = auth.get_access(self).service_catalog
        found = catalog.get_endpoints_data(service_type=kind).get(kind, ())
    words = sorted(f"{one.interface} in {one.region_name}" for one in found)
    return f"there are: {', '.join(words)}" if words else f"it has no {kind} at all"
