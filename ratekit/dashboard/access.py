"""The door of the pages: the token of the session goes through the API's own authentication."""

from __future__ import annotations

import hashlib
import threading
import urllib.parse
from collections.abc import Collection, Iterable
from typing import Any

import cachetools
import falcon

from ratekit.api.authentication import CALLER, Environ, Wsgi
from ratekit.api.faults import Fault
from ratekit.dashboard import cookie, visit
from ratekit.dashboard.cookie import SessionCookies
from ratekit.dashboard.local_path import read_local
from ratekit.dashboard.session import Session
from ratekit.dashboard.visit import LOGIN, Visit

#: Headers of programs: pages look at the session alone.
_IGNORED = ("HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_X_PROJECT_ID")
_AWAY = "Keystone cannot be asked whether the log-in is still valid; try again later"
_REMOTE = "without log-in ([api] auth_strategy = noauth) only requests of this host are answered"
_MOST_ENDED = 100_000


class EndedTokens:
    """Tokens of those who have logged out: refused here at once, although they are remembered.

    :param seconds: for which keystonemiddleware remembers that a token is valid
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._tokens: cachetools.TTLCache[bytes, bool] = cachetools.TTLCache(_MOST_ENDED, seconds)

    def add(self, token: str) -> None:
        """Refuse a token from now on."""
        with self._lock:
            self._tokens[_digest(token)] = True

    def __contains__(self, token: object) -> bool:
        with self._lock:
            return _digest(str(token)) in self._tokens


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Access:
    """Reads the session, and lets in whoever has one.

    :param pages: answer, also a refusal, which they find in the visit
    :param identified: the pages behind authentication
    :param public: paths that need none; one that ends in a slash has all below it
    :param needs_token: without it everybody of this host is let in
    """

    def __init__(
        self,
        pages: Wsgi,
        identified: Wsgi,
        cookies: SessionCookies,
        ended: EndedTokens,
        public: Collection[str],
        needs_token: bool,
    ) -> None:
        self._pages = pages
        self._identified = identified
        self._cookies = cookies
        self._ended = ended
        self._public = public
        self._needs_token = needs_token

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        for name in _IGNORED:
            environ.pop(name, None)
        current = self._read(environ)
        visit.store(environ, current)
        path = str(environ.get("PATH_INFO", "")).rstrip("/")
        if path in self._public or f"{path.rpartition('/')[0]}/" in self._public:
            return self._pages(environ, start_response)
        if self._needs_token and not current.session.token:
            return self._refuse(environ, start_response, "401")
        if current.session.token:
            environ["HTTP_X_AUTH_TOKEN"] = current.session.token
        return self._identify(environ, start_response)

    def _read(self, environ: Environ) -> Visit:
        """Return the visit with its session, or a new one of nobody."""
        value = _cookie(environ)
        session = self._cookies.read(value)
        if session is not None and session.token not in self._ended:
            return Visit(session)
        if value is None and environ.get("REQUEST_METHOD") == "POST":
            # Browsers send no cookie with a form of another site; a new one would replace the
            # reader's, and so log him out.
            return Visit(self._cookies.create())
        return self._forget(session)

    def _forget(self, session: Session | None) -> Visit:
        fresh = self._cookies.create(session.zone if session else "")
        return Visit(fresh, self._cookies.seal(fresh))

    def _identify(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        refusal = ""

        def start(status: str, headers: Any, *exc_info: Any) -> Any:
            nonlocal refusal
            if CALLER in environ:
                return start_response(status, headers, *exc_info)
            refusal = status
            return _ignore

        body = self._identified(environ, start)
        if not refusal:
            return body
        return self._refuse(environ, start_response, refusal)

    def _refuse(self, environ: Environ, start_response: Any, status: str) -> Iterable[bytes]:
        """Answer in place of authentication, whose own answers are for programs.

        :param status: of its answer
        """
        request = falcon.Request(environ)
        current = visit.of(request)
        if status.startswith("401"):
            had_token = bool(current.session.token)
            current = self._forget(current.session) if had_token else current
            current.refusal = _lead_to_login(request, had_token)
        elif status.startswith("503"):
            current.refusal = Fault(503, _AWAY, Retry_After="10")
        else:
            current.refusal = Fault(403, _REMOTE)
        visit.store(environ, current)
        return self._pages(environ, start_response)


def _lead_to_login(request: falcon.Request, had_token: bool) -> Exception:
    """Return the redirect to the log-in, and from there back to what was asked for."""
    query = f"?{request.query_string}" if request.query_string else ""
    # What a form would have done is not repeated.
    place = read_local(f"{request.path}{query if request.method == 'GET' else ''}")
    arguments = {"next": place, **({"ended": "1"} if had_token else {})}
    address = f"{request.root_path}{LOGIN}?{urllib.parse.urlencode(arguments)}"
    return falcon.HTTPStatus(303, headers={"Location": address})


def _cookie(environ: Environ) -> str | None:
    """Return the session's cookie; None: there is none.

    Whatever else the host has set is skipped, also what Python's parser stops at or takes minutes
    for. Of several the first counts: browsers send that of the longest path first, and one that a
    host of the same domain has set is usually of all paths.
    """
    for pair in str(environ.get("HTTP_COOKIE", "")).split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == cookie.NAME:
            return value.strip().strip('"')
    return None


def _ignore(_part: bytes) -> None:
    """Take a part of a body that is not sent."""
