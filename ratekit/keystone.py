"""Options of a service behind Keystone, sessions that use them, and what their errors mean."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from keystoneauth1 import adapter, exceptions, identity, loading, plugin, session
from oslo_config import cfg

from ratekit import errors, http_errors, http_limits
from ratekit.redact import redact_urls

#: Those of keystoneauth's options for sessions that ratekit reads.
_SESSION_OPTIONS = {"cafile", "certfile", "keyfile", "insecure"}

_CONNECTION_OPTIONS = [
    cfg.StrOpt(
        "region_name",
        help="Region of the endpoint, as the service catalogue names it.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=60.0,
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="Seconds to wait for a connection, and for each response.",
    ),
]

#: What is wrong when Keystone rejects the credentials, by the type of authentication.
_REJECTED = {
    "password": "wrong user name, password, domain or project",
    "applicationcredential": "wrong application credential",
    "token": "the token is invalid or has expired",
}


def connection_options() -> list[Any]:
    """Return the options of a section that says how to reach and authenticate to a service.

    What else a section has depends on its ``auth_type``.
    """
    common = loading.get_auth_common_conf_options()
    of_session = [opt for opt in loading.get_session_conf_options() if opt.name in _SESSION_OPTIONS]
    return [*common, *of_session, *_CONNECTION_OPTIONS]


def sample_options(options: Sequence[Any]) -> list[Any]:
    """Return a section's options with those of passwords added, where it authenticates.

    For the sample of the configuration: most sections have ``auth_type = password``.
    """
    names = [opt.name for opt in options]
    if "auth_section" not in names:
        return list(options)
    after = names.index("auth_section") + 1
    password = loading.get_auth_plugin_conf_options("password")
    return [*options[:after], *password, *options[after:]]


def is_web_url(url: str) -> bool:
    """Return whether HTTP clients can use ``url``."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Session(session.Session):
    """A session whose authentication errors name Keystone's address and the section.

    :ivar group: section of the configuration that says how to reach the service
    :ivar section: section that has the credentials; often the same
    """

    def __init__(self, group: str, section: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.group = group
        self.section = section

    def get_auth_headers(self, auth: plugin.BaseAuthPlugin | None = None) -> dict[str, str] | None:
        """Return the headers that authenticate ratekit.

        :raises: as :func:`translate_errors`
        """
        with self._authenticating(auth):
            return super().get_auth_headers(auth)

    def get_user_id(self, auth: plugin.BaseAuthPlugin | None = None) -> str | None:
        """Return the id of ratekit's own user.

        :raises: as :func:`translate_errors`
        """
        with self._authenticating(auth):
            return super().get_user_id(auth)

    def get_endpoint(
        self,
        auth: plugin.BaseAuthPlugin | None = None,
        *,
        endpoint_override: str | None = None,
        **filters: Any,
    ) -> str | None:
        """Return a service's address.

        :raises ratekit.errors.TryLater: the service did not return its versions
        :raises ratekit.errors.AccessDenied: the service catalogue has no such endpoint
        """
        endpoint = self._find_endpoint(auth, endpoint_override=endpoint_override, **filters)
        if endpoint is None:
            self._explain_missing(auth, filters)
        return endpoint

    def _find_endpoint(self, auth: plugin.BaseAuthPlugin | None, **filters: Any) -> str | None:
        with self._authenticating(auth):
            try:
                return super().get_endpoint(auth, **filters)
            except exceptions.EndpointNotFound:
                return None

    def _explain_missing(self, auth: plugin.BaseAuthPlugin | None, filters: dict[str, Any]) -> None:
        filters = {key: filters.get(key) for key in ("service_type", "interface", "region_name")}
        # Without discovery of versions, only the catalogue is read.
        endpoint = self._find_endpoint(auth, skip_discovery=True, **filters)
        kind = filters["service_type"]
        if endpoint is not None:
            raise errors.TryLater(
                f"{redact_urls(endpoint)}, the endpoint for {kind}, does not answer"
            )
        region = f" in region {filters['region_name']!r}" if filters["region_name"] else ""
        auth = auth or self.auth
        raise errors.AccessDenied(
            f"{_address(auth)}: its catalogue has no endpoint of type {kind!r} with "
            f"interface {filters['interface']!r}{region}; "
            f"{_endpoints_text(self, auth, kind)}; check [{self.group}]"
        )

    @contextlib.contextmanager
    def _authenticating(self, auth: plugin.BaseAuthPlugin | None) -> Iterator[None]:
        auth = auth or self.auth
        with translate_errors(_address(auth), self.section):
            try:
                yield
            except exceptions.Unauthorized as error:
                raise self._rejection(auth) from error
            except (exceptions.DiscoveryFailure, exceptions.NotFound) as error:
                # Keystone answers 404 to an unknown application credential or trust.
                if isinstance(error, exceptions.NotFound) and "Could not find" in str(error):
                    raise self._rejection(auth) from error
                # keystoneauth discovers Keystone's versions first and reports only that this
                # failed; the reason is the error's context.
                if isinstance(error.__context__, exceptions.ClientException):
                    with translate_errors(_address(auth), self.section):
                        _raise_unless_refused(error.__context__)
                raise errors.AccessDenied(
                    f"{_address(auth)} is not a Keystone API; expected its URL, such as "
                    f"https://keystone.example/v3, as auth_url in [{self.section}]"
                ) from error

    def _rejection(self, auth: plugin.BaseAuthPlugin | None) -> errors.AccessDenied:
        kind = type(auth).__module__.rpartition(".")[2].replace("_", "")
        reason = _REJECTED.get(kind, "wrong credentials")
        return errors.AccessDenied(f"{_address(auth)}: {reason} in [{self.section}]")


def open_session(
    conf: Any, group: str, auth: plugin.BaseAuthPlugin | None = None
) -> session.Session:
    """Return a session with the TLS settings of ``[group]``; opens no connection.

    :param auth: how to authenticate; by default as the section says
    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[group]
    return Session(
        group,
        group if auth else section.auth_section or group,
        auth=auth or _load_auth(conf, group),
        session=_pool(conf.orchestrator.max_threads),
        verify=False if section.insecure else section.cafile or True,
        cert=(section.certfile, section.keyfile) if section.keyfile else section.certfile or None,
        timeout=section.timeout,
    )


def _load_auth(conf: Any, group: str) -> plugin.BaseAuthPlugin:
    section = conf[group]
    # Registers auth_type in the section that auth_section names: only now, with the files
    # read, is its name known.
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


def _pool(connections: int) -> requests.Session:
    """Return a session that keeps one connection for each green thread."""
    http = requests.Session()
    for scheme in ("http://", "https://"):
        http.mount(scheme, http_limits.LimitedAdapter(pool_maxsize=connections))
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
def translate_errors(service: str, section: str = "") -> Iterator[None]:
    """Turn keystoneauth's errors into ratekit's, which name the ``service``.

    :param section: of the configuration, for an operator to check after a refusal
    :raises ratekit.errors.TryLater: no answer, or one that asks to retry later
    :raises ratekit.errors.AccessDenied: refused
    """
    try:
        yield
    except exceptions.ClientException as error:
        raise _translate(service, section, error) from error
    except RecursionError:
        raise errors.InvalidResponse(f"{service} returned JSON that is nested too deeply") from None


def _translate(
    service: str, section: str, error: exceptions.ClientException
) -> errors.RatekitError:
    text = http_errors.summarize(error)
    match error:
        case exceptions.SSLError():
            hint = f"; check cafile and insecure in [{section}]" if section else ""
            return errors.AccessDenied(f"{service}: TLS verification failed: {text}{hint}")
        case exceptions.ConnectionError():
            return errors.TryLater(f"{service} does not answer: {text}")
        case (
            exceptions.HttpServerError()
            | exceptions.TooManyRequests()
            | exceptions.RequestTimeout()
        ):
            headers = {} if error.response is None else error.response.headers
            seconds = http_errors.retry_after(headers)
            return errors.TryLater(f"{service} answered {error.http_status}: {text}", seconds)
        case exceptions.InvalidResponse():
            hint = f"; check [{section}]" if section else ""
            return errors.TryLater(f"{service} returned an invalid response{hint}")
    hint = f"; check [{section}]" if section else ""
    return errors.AccessDenied(f"{service} refused: {text}{hint}")


def _raise_unless_refused(error: exceptions.ClientException) -> None:
    if isinstance(error, exceptions.ConnectionError | exceptions.HttpServerError):
        raise error


def section_of(api: adapter.Adapter) -> str:
    """Return the section of the configuration that has the credentials of ``api``."""
    return api.session.section if isinstance(api.session, Session) else ""


def _address(auth: plugin.BaseAuthPlugin | None) -> str:
    url = getattr(auth, "auth_url", None)
    return f"Keystone at {redact_urls(url)}" if url else "Keystone"


def _endpoints_text(
    opened: Session, auth: plugin.BaseAuthPlugin | None, service_type: str | None
) -> str:
    """Write which endpoints of a type the service catalogue has."""
    endpoints: Any = ()
    if isinstance(auth, identity.BaseIdentityPlugin) and service_type:
        catalog = auth.get_access(opened).service_catalog
        endpoints = catalog.get_endpoints_data(service_type=service_type).get(service_type, ())
    words = sorted(f"{endpoint.interface} in {endpoint.region_name}" for endpoint in endpoints)
    return f"it has: {', '.join(words)}" if words else "it has none of this type"
