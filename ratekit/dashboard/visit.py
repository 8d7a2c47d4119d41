"""One request of a reader: his session, his form, and whether he was let in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import falcon

from ratekit.api import authentication
from ratekit.dashboard import forms
from ratekit.dashboard.cookie import SessionCookies
from ratekit.dashboard.page import ROOT
from ratekit.dashboard.session import Session

#: Environment key.
_KEY = "ratekit.visit"
LOGIN, LOGOUT = f"{ROOT}/login", f"{ROOT}/logout"
#: Bytes of the form of somebody who has not logged in.
_LOGIN_BODY = 32 * 1024


@dataclasses.dataclass(slots=True)
class Visit:
    """What is known of a request besides its own content.

    :ivar cookie: the session's, if it is to be stored; empty: the browser has it
    :ivar refusal: raised in place of an answer, because nobody was let in
    :ivar form: the fields that were sent
    """

    session: Session
    cookie: str = ""
    refusal: Exception | None = None
    form: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field's text; empty: it has none."""
        value = self.form.get(name, "")
        return str(value[-1] if isinstance(value, list) else value)


def store(environ: dict[str, Any], visit: Visit) -> None:
    """Keep a visit with its request."""
    environ[_KEY] = visit


def of(request: falcon.Request) -> Visit:
    """Return a request's visit."""
    visit = request.env[_KEY]
    assert isinstance(visit, Visit), "the access before has stored it"
    return visit


class Visits:
    """Falcon's middleware: refuses, checks every form, and sets the cookie.

    :param limit: most bytes of a form
    """

    def __init__(self, cookies: SessionCookies, limit: int) -> None:
        self._cookies = cookies
        self._limit = limit

    def process_request(self, request: falcon.Request, _: falcon.Response) -> None:
        """Check a request before any page sees it."""
        visit = of(request)
        if visit.refusal is not None:
            raise visit.refusal
        if request.method == "POST":
            is_known = authentication.CALLER in request.env or bool(visit.session.token)
            limit = self._limit if is_known else min(self._limit, _LOGIN_BODY)
            visit.form = forms.read_form(request, visit.session, limit)

    def process_response(
        self, request: falcon.Request, response: falcon.Response, *_: object
    ) -> None:
        """Set the cookie of a new session; files that browsers keep for all have none."""
        visit = of(request)
        has_form = str(response.content_type or "").startswith(falcon.MEDIA_HTML)
        if visit.cookie and (has_form or response.status_code == 303):
            self._cookies.set(request, response, visit.session, visit.cookie)
