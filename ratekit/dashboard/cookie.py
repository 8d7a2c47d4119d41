"""The cookie that keeps a session: encrypted and signed by the operator's keys."""

from __future__ import annotations

import base64
import datetime
import logging
from collections.abc import Callable, Sequence

import falcon
import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ratekit.api.faults import Fault
from ratekit.dashboard.page import ROOT
from ratekit.dashboard.session import LIFETIME, Session

LOG = logging.getLogger(__name__)

NAME = "ratekit_session"
#: Browsers drop larger ones, name and attributes included.
_MAX_BYTES = 4096
_ATTRIBUTES = 200
#: From the URL-safe alphabet of base64 to the usual one.
_USUAL = str.maketrans("-_", "+/")


class SessionCookies:
    """Reads and writes the cookie.

    :param keys: 32 bytes each, base64; the first encrypts, all decrypt
    :param clock: returns the current time, aware, UTC
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], datetime.datetime]) -> None:
        self._fernet = MultiFernet([_fernet(key) for key in keys])
        self._clock = clock

    def read(self, value: str | None) -> Session | None:
        """Return the session of a cookie; None: there is none, or it is forged or too old."""
        if not value or len(value) > _MAX_BYTES:
            return None
        try:
            text = self._fernet.decrypt(value.encode())
            session = msgspec.json.decode(text, type=Session)
        except (InvalidToken, msgspec.DecodeError, UnicodeError):
            return None
        return session if session.expires > self._clock() else None

    def create(self, zone: str = "") -> Session:
        """Return a session of nobody."""
        return Session.create(self._clock() + LIFETIME, zone=zone)

    def seal(self, session: Session) -> str:
        """Return the cookie's value.

        :raises ratekit.api.faults.Fault: it is too large for browsers
        """
        value = self._fernet.encrypt(msgspec.json.encode(session)).decode()
        size = len(NAME) + len(value) + _ATTRIBUTES
        if size > _MAX_BYTES:
            raise Fault(
                502,
                f"Keystone's token is too long: with it the cookie has {size:,} bytes, and "
                f"browsers keep at most {_MAX_BYTES:,}; the pages need Fernet tokens",
            )
        return value

    def set(
        self, request: falcon.Request, response: falcon.Response, session: Session, value: str
    ) -> None:
        """Set the cookie, for as long as the session lasts."""
        response.set_cookie(
            NAME,
            value,
            max_age=max(0, int((session.expires - self._clock()).total_seconds())),
            path=f"{request.root_path}{ROOT}",
            secure=request.scheme == "https",
            http_only=True,
            same_site="Lax",
        )


def choose_keys(keys: Sequence[str], has_login: bool) -> Sequence[str]:
    """Return the operator's keys, or a random one if there are none.

    :param has_login: cookies will have tokens, so that a random key is worth a warning
    """
    if keys:
        return keys
    if has_login:
        LOG.warning(
            "[api] dashboard_keys is empty: the pages use a random key, so everybody has to log "
            "in again after a restart, and no other process accepts the log-in"
        )
    return [Fernet.generate_key().decode()]


def _fernet(key: str) -> Fernet:
    # In either alphabet: "openssl rand -base64 32" writes the usual one.
    return Fernet(base64.urlsafe_b64encode(base64.b64decode(key.translate(_USUAL))))
