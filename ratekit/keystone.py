"""Authenticated sessions from a section of the configuration."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import requests
from keystoneauth1 import adapter, exceptions, loading, plugin, session

from ratekit import errors

# How requests and urllib3 dress a failed connection, and what is inside.
_POOL = re.compile(r"(: HTTPS?ConnectionPool\()")
_ERRNO = re.compile(r"\[Errno -?\d+\] [\w ]+")


def open_session(
    conf: Any, group: str, auth: plugin.BaseAuthPlugin | None = None
) -> session.Session:
    """Return a session with the TLS settings of ``[group]``.

    :param auth: how to authenticate; by default as the section says
    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[group]
    return session.Session(
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
    except (exceptions.NoMatchingPlugin, exceptions.MissingRequiredOptions) as error:
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
def explained(what: str) -> Iterator[None]:
    """Turn keystoneauth's errors into ratekit's, naming ``what`` was asked.

    :raises ratekit.errors.TryLater: no answer, or one that says to come back
    :raises ratekit.errors.Denied: refused
    """
    try:
        yield
    except (exceptions.ConnectFailure, exceptions.ConnectionError) as error:
        raise errors.TryLater(f"{what} does not answer: {one_line(error)}") from error
    except (exceptions.HttpServerError, exceptions.TooManyRequests) as error:
        raise errors.TryLater(f"{what} answered {error.http_status}: {one_line(error)}") from error
    except exceptions.ClientException as error:
        raise errors.Denied(f"{what} refused: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Return an error's text on one line, without the names of Python's own wrappers."""
    text = " ".join(str(error).split()) or type(error).__name__
    head, wrapper, rest = _POOL.split(text, maxsplit=1) if _POOL.search(text) else (text, "", "")
    if not wrapper:
        return text
    cause = _ERRNO.search(rest)
    return f"{head} ({cause[0]})" if cause else head
