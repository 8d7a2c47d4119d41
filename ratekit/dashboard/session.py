"""A reader's session: what his browser keeps for him, encrypted, in a cookie."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import secrets

#: Without a token of Keystone, which has a lifetime of its own.
LIFETIME = datetime.timedelta(hours=12)
_NONCE_BYTES = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """What is kept between requests.

    :ivar secret: forms are bound to it; new with each log-in
    :ivar expires: aware, UTC; never later than the token's end
    :ivar token: of Keystone; empty: nobody has logged in
    :ivar zone: the reader's time zone; empty: the operator's default
    """

    secret: str
    expires: datetime.datetime
    token: str = ""
    zone: str = ""

    @classmethod
    def create(cls, expires: datetime.datetime, token: str = "", zone: str = "") -> Session:
        """Return a session that no cookie has had before."""
        return cls(secrets.token_urlsafe(), expires, token, zone)

    def form_token(self) -> str:
        """Return what a form sends back; never the same, so that compression reveals none."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return f"{nonce}.{self._sign(nonce)}"

    def accepts(self, form_token: str) -> bool:
        """Return whether a form is of this session."""
        nonce, _, signature = form_token.partition(".")
        return hmac.compare_digest(self._sign(nonce).encode(), signature.encode(errors="replace"))

    def _sign(self, nonce: str) -> str:
        key, message = self.secret.encode(), nonce.encode(errors="replace")
        return hmac.new(key, message, hashlib.sha256).hexdigest()
