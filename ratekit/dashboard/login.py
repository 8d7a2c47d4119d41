"""``/dashboard/login`` and ``/dashboard/logout``."""

from __future__ import annotations

import logging
import re
from typing import Any

import falcon

from ratekit.api.faults import Fault
from ratekit.dashboard import visit
from ratekit.dashboard.access import EndedTokens
from ratekit.dashboard.attempts import Attempts
from ratekit.dashboard.identity import Credentials, Grant, Identity
from ratekit.dashboard.local_path import read_local
from ratekit.dashboard.session import Session
from ratekit.dashboard.site import Site
from ratekit.dashboard.visit import LOGIN, Visit
from ratekit.text import printable, utc_text

LOG = logging.getLogger(__name__)

_TITLE = "Log in"
_DOMAIN = "Default"
_TOKEN = re.compile(r"[\x21-\x7e]{1,4000}\Z")
_BAD_TOKEN = "that is no token; copy the value of id from 'openstack token issue'"
_MISSING = "enter a user and a password"


class Login:
    """Logs in by a password or by a token."""

    def __init__(self, site: Site, identity: Identity) -> None:
        self._site = site
        self._identity = identity
        self._attempts = Attempts()

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show the forms."""
        self._show(request, response, None)

    on_head = on_get

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Log in, with a new session; show the forms again if that fails."""
        current = visit.of(request)
        address = request.remote_addr
        # In any case, because databases of Keystone do not tell them apart.
        user = f"{current.text('user_domain') or _DOMAIN}/{current.text('user')}".casefold()
        try:
            self._attempts.require(address, user)
            grant = self._log_in(current)
            session = Session.create(grant.expires, grant.token, current.session.zone)
            cookie = self._site.cookies.seal(session)
        except Fault as fault:
            if fault.status == 403:
                self._attempts.count(address, user)
                # Without the name: people type passwords in its place.
                LOG.info("a log-in from %s failed", printable(address))
            self._show(request, response, fault)
            return
        current.session, current.cookie = session, cookie
        LOG.info("a log-in from %s succeeded", printable(address))
        response.status = 303
        response.set_header("Location", f"{request.root_path}{read_local(current.text('next'))}")

    def _log_in(self, current: Visit) -> Grant:
        token = current.text("token").strip()
        if token:
            if not _TOKEN.match(token):
                raise Fault(403, _BAD_TOKEN)
            return self._identity.accept(token)
        user, password = current.text("user"), current.text("password")
        if not user or not password:
            raise Fault(400, _MISSING)
        return self._identity.log_in(
            Credentials(
                user,
                password,
                current.text("user_domain") or _DOMAIN,
                current.text("project"),
                current.text("project_domain"),
            )
        )

    def _show(
        self, request: falcon.Request, response: falcon.Response, fault: Fault | None
    ) -> None:
        current = visit.of(request)
        target = current.text("next") or request.get_param("next")
        values: dict[str, Any] = {
            "fault": fault,
            "next": read_local(target),
            "ended": request.get_param("ended") is not None,
            "out": request.get_param("out") is not None,
            "user": current.text("user"),
            "user_domain": current.text("user_domain") or _DOMAIN,
            "project": current.text("project"),
            "project_domain": current.text("project_domain"),
        }
        self._site.show(request, response, _TITLE, "login.html", values)
        if fault is not None:
            response.status = fault.status
            response.set_headers(fault.headers)


class Logout:
    """Revokes the token and forgets the session."""

    def __init__(self, site: Site, identity: Identity, ended: EndedTokens) -> None:
        self._site = site
        self._identity = identity
        self._ended = ended

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Log out."""
        current = visit.of(request)
        session = current.session
        current.session = self._site.cookies.create(session.zone)
        current.cookie = self._site.cookies.seal(current.session)
        if session.token:
            self._ended.add(session.token)
            try:
                self._identity.revoke(session.token)
            except Fault as fault:
                # A token that Keystone refuses is as good as revoked.
                if fault.status != 403:
                    values = {"expires": utc_text(session.expires)}
                    self._site.show(request, response, "Logged out", "logged_out.html", values)
                    return
        response.status = 303
        response.set_header("Location", f"{request.root_path}{LOGIN}?out=1")
