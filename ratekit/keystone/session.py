"""Sessions of services behind Keystone; their errors name addresses and sections."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

import requests
from keystoneauth1 import adapter, exceptions, loading, plugin, session

from ratekit import errors, http_limits
from ratekit.keystone import catalog
from ratekit.keystone.failures import Sections, translate_errors
from ratekit.redact import redact_urls

#: Redirects of one request that are followed, all within one origin.
_MAX_REDIRECTS = 3
#: What is wrong when Keystone rejects the credentials, by the type of authentication.
_REJECTED = {
    "password": "wrong user name, password, domain or project",
    "applicationcredential": "wrong application credential",
    "token": "the token is invalid or has expired",
}


class Session(session.Session):
    """A session whose errors name addresses and the sections of the configuration.

    It sends nothing to another scheme, host or port than a request was made for, because
    requests have passwords and tokens.

    :ivar sections: sections of the configuration that say how to reach the service, and how to
        authenticate
    :ivar endpoint_option: option of the first that has the endpoint's URL
    """

    def __init__(self, sections: Sections, endpoint_option: str, **settings: Any) -> None:
        super().__init__(redirect=_MAX_REDIRECTS, **settings)
        self.sections = sections
        self.endpoint_option = endpoint_option
        self.session.hooks["response"].append(self._check_redirect)

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
        :raises ratekit.errors.CloudMismatch: it has several
        """
        if endpoint_override is None:
            self._require_one(auth or self.auth, filters)
        endpoint = self._find_endpoint(auth, endpoint_override=endpoint_override, **filters)
        if endpoint is None:
            self._explain_missing(auth, filters)
        return endpoint

    def _require_one(self, auth: plugin.BaseAuthPlugin | None, filters: dict[str, Any]) -> None:
        """Require that all endpoints that fit have one address.

        keystoneauth takes the first in the order of the catalogue. In another region ratekit
        would find no usage, and charge nothing.
        """
        filters = {key: filters.get(key) for key in catalog.FILTERS}
        if filters["interface"] is plugin.AUTH_INTERFACE:
            return
        with self._authenticating(auth):
            endpoints = catalog.find_endpoints(self, auth, **filters)
        conflict = catalog.conflict_text(
            _address(auth), endpoints, filters, self.sections.service, self.endpoint_option
        )
        if conflict:
            raise errors.CloudMismatch(conflict)

    def _find_endpoint(self, auth: plugin.BaseAuthPlugin | None, **filters: Any) -> str | None:
        with self._authenticating(auth):
            try:
                return super().get_endpoint(auth, **filters)
            except exceptions.EndpointNotFound:
                return None

    def _explain_missing(self, auth: plugin.BaseAuthPlugin | None, filters: dict[str, Any]) -> None:
        filters = {key: filters.get(key) for key in catalog.FILTERS}
        # Without discovery of versions, only the catalogue is read.
        endpoint = self._find_endpoint(auth, skip_discovery=True, **filters)
        kind = filters["service_type"]
        if endpoint is not None:
            raise errors.TryLater(
                f"{redact_urls(endpoint)}, the endpoint for {kind}, does not answer"
            )
        region = f" in region {filters['region_name']!r}" if filters["region_name"] else ""
        auth = auth or self.auth
        present = catalog.find_endpoints(self, auth, service_type=kind, interface=None)
        raise errors.AccessDenied(
            f"{_address(auth)}: its catalogue has no endpoint of type {kind!r} with "
            f"interface {filters['interface']!r}{region}; "
            f"{catalog.endpoints_text(present)}; check [{self.sections.service}]"
        )

    def _check_redirect(self, response: requests.Response, **_: Any) -> None:
        """Refuse a redirect to another origin; make any other absolute for keystoneauth.

        :raises ratekit.errors.CloudMismatch: the redirect is to another origin
        """
        location = response.headers.get("location")
        if not 300 < response.status_code < 400 or location is None:
            return
        # Text that is no URL stays as it is, and has no origin.
        with contextlib.suppress(ValueError):
            location = urllib.parse.urljoin(response.url, location)
        if _origin(location) != _origin(response.url):
            response.close()
            raise errors.CloudMismatch(
                f"{redact_urls(response.url)} redirects to {redact_urls(location)}; ratekit does "
                f"not send credentials to another scheme, host or port: correct "
                f"{self._url_option(response.url)}"
            )
        response.headers["location"] = location

    def _url_option(self, url: str) -> str:
        """Return where the first part of a request's URL comes from."""
        auth_url = getattr(self.auth, "auth_url", None)
        if auth_url and url.startswith(auth_url.rstrip("/").removesuffix("/v3")):
            return f"auth_url in [{self.sections.credentials}]"
        return (
            f"{self.endpoint_option} in [{self.sections.service}], or the endpoint in the service "
            "catalogue"
        )

    @contextlib.contextmanager
    def _authenticating(self, auth: plugin.BaseAuthPlugin | None) -> Iterator[None]:
        auth = auth or self.auth
        with translate_errors(_address(auth), self.sections):
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
                    with translate_errors(_address(auth), self.sections):
                        _raise_unless_refused(error.__context__)
                raise errors.AccessDenied(
                    f"{_address(auth)} is not a Keystone API; expected its URL, such as "
                    f"https://keystone.example/v3, as auth_url in [{self.sections.credentials}]"
                ) from error

    def _rejection(self, auth: plugin.BaseAuthPlugin | None) -> errors.AccessDenied:
        kind = type(auth).__module__.rpartition(".")[2].replace("_", "")
        reason = _REJECTED.get(kind, "wrong credentials")
        return errors.AccessDenied(f"{_address(auth)}: {reason} in [{self.sections.credentials}]")


def open_session(
    conf: Any,
    group: str,
    auth: plugin.BaseAuthPlugin | None = None,
    endpoint_option: str = "endpoint_override",
) -> session.Session:
    """Return a session with the TLS settings of ``[group]``; opens no connection.

    :param auth: how to authenticate; by default as the section says
    :param endpoint_option: option of the section that has the endpoint's URL
    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[group]
    return Session(
        Sections(group, group if auth else section.auth_section or group),
        endpoint_option,
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
    section = conf[group]
    return adapter.Adapter(
        open_session(conf, group),
        service_type="identity",
        interface=section.interface,
        region_name=section.region_name,
        endpoint_override=_versioned(section.endpoint_override),
        min_version="3",
        max_version="3.latest",
        connect_retries=1,
    )


def _versioned(url: str | None) -> str | None:
    """Return the URL of the identity API's third version, which may be written without it."""
    if not url:
        return None
    root = url.rstrip("/").removesuffix("/v3")
    return f"{root}/v3"


def sections_of(api: adapter.Adapter) -> Sections:
    """Return the sections of the configuration that ``api`` was built from."""
    return api.session.sections if isinstance(api.session, Session) else Sections()


def _address(auth: plugin.BaseAuthPlugin | None) -> str:
    url = getattr(auth, "auth_url", None)
    return f"Keystone at {redact_urls(url)}" if url else "Keystone"


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Return the scheme, host and port of a URL; None if it has none."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port


def _raise_unless_refused(error: exceptions.ClientException) -> None:
    if isinstance(error, exceptions.ConnectionError | exceptions.HttpServerError):
        raise error
