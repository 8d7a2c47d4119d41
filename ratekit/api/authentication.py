"""Who sends a request: by a token of Keystone, or anybody."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_context.context import RequestContext

from ratekit.api import dialects
from ratekit.api.faults import Fault
from ratekit.http_errors import summarize

LOG = logging.getLogger(__name__)
_UNKNOWN = "a valid token of Keystone is required"
_REMOTE = "[api] auth_strategy = noauth answers only requests of its own host"
_UNAVAILABLE = "Keystone cannot be asked whether the token is valid; try again later"
#: What libraries raise when a response is not what Keystone sends.
_UNREADABLE = (AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
#: Seconds.
_RETRY_AFTER = "10"

#: Environment key of the caller.
CALLER = "ratekit.caller"

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]
Authenticate = Callable[[Wsgi, Any, Mapping[str, Wsgi]], Wsgi]


def authenticate(application: Wsgi, conf: Any, public: Mapping[str, Wsgi]) -> Wsgi:
    """Return ``application`` behind authentication.

    :param public: what answers paths that need no token
    """
    identified: Wsgi
    if conf.api.auth_strategy == "noauth":
        identified = _Noauth(application)
    else:
        inner = _Identified(application)
        identified = _Checked(auth_token.AuthProtocol(inner, {"oslo_config_config": conf}))
    return _Public(identified, public)


def caller(environ: Mapping[str, Any]) -> RequestContext:
    """Return who sent a request; nobody on a path that needs no token."""
    identity = environ.get(CALLER)
    return identity if isinstance(identity, RequestContext) else RequestContext(overwrite=False)


class Context:
    """Gives the log lines of a request its id, in place of those of the thread's last request.

    :param application: what answers
    """

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        RequestContext(
            request_id=environ.get("openstack.request_id"),
            global_request_id=environ.get("openstack.global_request_id"),
        )
        return self._application(environ, start_response)


class _Public:
    """Leaves some paths out of authentication."""

    def __init__(self, identified: Wsgi, public: Mapping[str, Wsgi]) -> None:
        self._identified = identified
        self._public = public

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", "")).rstrip("/") or "/"
        return self._public.get(path, self._identified)(environ, start_response)


class _Identified:
    """Reads the caller from the headers that keystonemiddleware has set.

    With its option delay_auth_decision it lets through who has no valid token; he is refused here.
    """

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            return dialects.write_fault(environ, start_response, Fault(401, _UNKNOWN))
        environ[CALLER] = RequestContext.from_environ(environ)
        return self._application(environ, start_response)


class _Checked:
    """Answers that tokens cannot be checked, in the API's dialects, while Keystone cannot be asked.

    :param middleware: checks them, and answers in HTML or raises when it cannot
    """

    def __init__(self, middleware: Wsgi) -> None:
        self._middleware = middleware

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        unavailable = False

        def start(status: str, headers: Any, *exc_info: Any) -> Any:
            nonlocal unavailable
            unavailable = CALLER not in environ and status.startswith("503")
            return _ignore if unavailable else start_response(status, headers, *exc_info)

        try:
            body = self._middleware(environ, start)
        except ClientException as error:
            unavailable = True
            LOG.error("tokens cannot be checked, see [keystone_authtoken]: %s", summarize(error))
        except _UNREADABLE as error:
            if CALLER in environ:
                # The token was checked: this is not about Keystone.
                raise
            unavailable = True
            LOG.error(
                "tokens cannot be checked, see [keystone_authtoken]: the response is not "
                "Keystone's; is there a proxy in between? (%r)",
                error,
            )
        if not unavailable:
            return body
        fault = Fault(503, _UNAVAILABLE, Retry_After=_RETRY_AFTER)
        return dialects.write_fault(environ, start_response, fault)


def _ignore(_part: bytes) -> None:
    """Take a part of a body that is not sent."""


class _Noauth:
    """Takes everybody of this host for an administrator, of the project that X-Project-Id names."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not _is_loopback(str(environ.get("REMOTE_ADDR", ""))):
            return dialects.write_fault(environ, start_response, Fault(403, _REMOTE))
        environ[CALLER] = RequestContext(
            user_id="noauth",
            user_name="noauth",
            project_id=environ.get("HTTP_X_PROJECT_ID"),
            roles=["admin", "member", "reader"],
            request_id=environ.get("openstack.request_id"),
        )
        return self._application(environ, start_response)


def _is_loopback(address: str) -> bool:
    """Return whether a client is on this host; unknown is no."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
