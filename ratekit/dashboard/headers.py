"""The headers that each answer below ``/dashboard`` has, also an error and a redirect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ratekit.api.authentication import Environ, Wsgi

#: Nothing but ratekit's own stylesheet, pictures and forms; no script at all.
_CONTENT = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_ALWAYS: Mapping[str, str] = {
    "Content-Security-Policy": _CONTENT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_REPLACED = {name.lower() for name in _ALWAYS}
_NO_CACHE = ("Cache-Control", "no-store")
#: Scheme and host of an address.
_HOST = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*")
#: A year; under TLS only, where browsers heed it.
_STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")


def local_address(address: str) -> str:
    """Return an address without scheme and host: browsers stay where they are."""
    # Not urlsplit(), which refuses some hosts that clients may name. Two slashes, or a slash and a
    # backslash, would begin the name of a host.
    return "/" + _HOST.sub("", address).lstrip("/\\")


def protect(headers: Iterable[tuple[str, str]], scheme: str = "http") -> list[tuple[str, str]]:
    """Return the headers of an answer with those that each has, and with a redirect made local.

    :param scheme: with which the reader's browser reaches it
    """
    result = [
        (name, local_address(value) if name.lower() == "location" else value)
        for name, value in headers
        if name.lower() not in _REPLACED
    ]
    if not any(name.lower() == "cache-control" for name, _ in result):
        result.append(_NO_CACHE)
    if scheme == "https":
        result.append(_STRICT_TRANSPORT)
    return [*result, *_ALWAYS.items()]


class SecurityHeaders:
    """Adds the headers to every answer, and keeps every redirect on this host.

    An answer may have a Cache-Control of its own, as the stylesheet has.

    :param application: what answers; libraries in it complete redirects with the Host that the
        client has named, which need not be this host's
    """

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""

        def start(status: str, headers: Iterable[tuple[str, str]], *exc_info: Any) -> Any:
            # Only now has what is inside read the proxy's headers.
            scheme = str(environ.get("wsgi.url_scheme", ""))
            return start_response(status, protect(headers, scheme), *exc_info)

        return self._application(environ, start)
