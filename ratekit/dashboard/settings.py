"""``/dashboard/settings``: the reader's project and time zone."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import zoneinfo
from collections.abc import Mapping, Sequence

import falcon

from ratekit.api import authentication
from ratekit.api.faults import Fault
from ratekit.dashboard import visit
from ratekit.dashboard.access import EndedTokens
from ratekit.dashboard.identity import Identity, Project
from ratekit.dashboard.local_path import read_local
from ratekit.dashboard.page import ROOT
from ratekit.dashboard.session import Session
from ratekit.dashboard.site import Site

_TITLE = "Project and time zone"
#: More are found by a part of their names.
_MOST = 500


class Settings:
    """Shows both forms.

    :param identity: None: nobody logs in, so there are no projects to choose from
    """

    def __init__(self, site: Site, identity: Identity | None) -> None:
        self._site = site
        self._identity = identity

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show the forms."""
        session = visit.of(request).session
        words = (request.get_param("search") or "").strip()
        projects: Sequence[Project] = ()
        if self._identity is not None:
            projects = [
                project
                for project in self._identity.list_projects(session.token)
                if words.lower() in project.name.lower() or words == project.id
            ]
        values = {
            "projects": projects[:_MOST],
            "more": max(0, len(projects) - _MOST),
            "has_projects": self._identity is not None,
            "search": words,
            "project": authentication.caller(request.env).project_id,
            "zones": _zones(),
            "next": read_local(request.get_param("next")),
        }
        self._site.show(request, response, _TITLE, "settings.html", values)

    on_head = on_get


class ProjectChoice:
    """Changes the project: the session gets another token."""

    def __init__(self, site: Site, identity: Identity, ended: EndedTokens) -> None:
        self._site = site
        self._identity = identity
        self._ended = ended

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Change the project, and lead to the first page."""
        current = visit.of(request)
        previous, project = current.session, current.text("project")
        if not project:
            # Keystone would choose one.
            raise Fault(400, "project: missing")
        grant = self._identity.switch(previous.token, project)
        expires = min(grant.expires, previous.expires)
        session = Session.create(expires, grant.token, previous.zone)
        current.cookie = self._site.cookies.seal(session)
        current.session = session
        self._ended.add(previous.token)
        # It ends by itself, too.
        with contextlib.suppress(Fault):
            self._identity.revoke(previous.token)
        response.status = 303
        response.set_header("Location", f"{request.root_path}{ROOT}")


class ZoneChoice:
    """Changes the time zone."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Change the zone, and lead back."""
        current = visit.of(request)
        zone = current.text("zone")
        if zone not in itertools.chain(*_zones().values()):
            raise Fault(400, "zone: expected a time zone, such as Europe/Berlin")
        current.session = dataclasses.replace(current.session, zone=zone)
        current.cookie = self._site.cookies.seal(current.session)
        response.status = 303
        response.set_header("Location", f"{request.root_path}{read_local(current.text('next'))}")


@functools.cache
def _zones() -> Mapping[str, Sequence[str]]:
    """Return the names of time zones by their regions."""
    names = sorted(zoneinfo.available_timezones() - {"UTC"})
    regions = {
        region: list(members)
        for region, members in itertools.groupby(
            (name for name in names if "/" in name), lambda name: name.partition("/")[0]
        )
    }
    return {"Universal": ["UTC"], **regions}
