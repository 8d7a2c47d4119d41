"""What all pages share: the menu, the reader's zone and names, and how errors are shown."""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.parse
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence

import falcon

import ratekit
from ratekit.api import authentication
from ratekit.api.parts import Parts
from ratekit.api.policies import project_target
from ratekit.api.throttle import Throttle
from ratekit.dashboard import problem, visit
from ratekit.dashboard.cookie import SessionCookies
from ratekit.dashboard.frame import Frame, MenuEntry, MenuSection, Person
from ratekit.dashboard.local_path import read_local
from ratekit.dashboard.page import ROOT, Page, Section
from ratekit.dashboard.slow import Readers
from ratekit.html import environment
from ratekit.html.formats import Formats

_NO_CHOICE: Mapping[str, str] = {}
#: Where the project and the time zone are chosen.
SETTINGS = f"{ROOT}/settings"


class Site:
    """All pages, and what is around them.

    :ivar parts: the API's
    :ivar readers: the threads in which pages are read
    :ivar cookies: keep the readers' sessions
    :ivar throttle: counts requests of each project, as the API does
    """

    def __init__(
        self, parts: Parts, pages: Sequence[Page], readers: Readers, cookies: SessionCookies
    ) -> None:
        self.parts = parts
        self.readers = readers
        self.cookies = cookies
        self.throttle = Throttle(parts.conf.api.requests_per_minute)
        self._pages = pages

    def zone(self, request: falcon.Request) -> zoneinfo.ZoneInfo:
        """Return the reader's zone, or the operator's default."""
        zone = visit.of(request).session.zone
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo(zone)
        return zoneinfo.ZoneInfo(self.parts.conf.api.dashboard_zone)

    def formats(self, request: falcon.Request) -> Formats:
        """Return how numbers and times are written for the reader."""
        section = self.parts.conf.rating
        return Formats(self.zone(request), section.currency, section.decimals)

    def frame(
        self, request: falcon.Request, title: str, choice: Mapping[str, str] = _NO_CHOICE
    ) -> Frame:
        """Return what is around a page's content, for this reader.

        :param choice: arguments that the pages of the menu keep, if they have them
        """
        session = visit.of(request).session
        frame = Frame(title, request.root_path, ratekit.__version__, csrf=session.form_token())
        if authentication.CALLER not in request.env:
            return frame
        caller = authentication.caller(request.env)
        person = Person(
            caller.user_name or caller.user_id or "",
            caller.project_name or caller.project_id or "",
            bool(session.token),
        )
        return dataclasses.replace(
            frame,
            person=person,
            menu=list(self._menu(request, choice)),
            settings_link=self._settings_link(request),
        )

    def start(self, request: falcon.Request) -> str:
        """Return the path of the first page that the reader may see."""
        return next((page.path for page in self._pages if self._allows(request, page)), SETTINGS)

    def show(
        self,
        request: falcon.Request,
        response: falcon.Response,
        title: str,
        template: str,
        values: Mapping[str, object],
    ) -> None:
        """Answer a page."""
        frame, formats = self.frame(request, title), self.formats(request)
        head, foot = frame.split(formats)
        content = environment.render(template, formats, {**values, "frame": frame})
        response.content_type = falcon.MEDIA_HTML
        response.text = f"{head}{content}{foot}"

    def show_error(
        self, request: falcon.Request, response: falcon.Response, error: Exception, _: object
    ) -> None:
        """Answer an error as a page."""
        trouble = problem.explain(error, f"{request.method} {request.path}")
        session = visit.of(request).session
        values = trouble.values(self._settings_link(request) if session.token else "")
        self.show(request, response, trouble.title, problem.TEMPLATE, values)
        response.status = trouble.fault.status
        response.set_headers(trouble.fault.headers)

    def _menu(self, request: falcon.Request, choice: Mapping[str, str]) -> Iterator[MenuSection]:
        """Yield the parts of the menu that have pages for the caller."""
        for section in Section:
            entries = [
                MenuEntry(page.title, _address(request, page, choice), page.path == request.path)
                for page in self._pages
                if page.section is section and self._allows(request, page)
            ]
            if entries:
                yield MenuSection(section.value, entries)

    def _allows(self, request: falcon.Request, page: Page) -> bool:
        caller = authentication.caller(request.env)
        target = project_target(caller.project_id)
        return page.rule is None or self.parts.policies.allows(page.rule, caller, target)

    def _settings_link(self, request: falcon.Request) -> str:
        """Return where the zone is chosen, which then leads back to this page."""
        query = f"?{request.query_string}" if request.query_string else ""
        is_choice = request.path == SETTINGS
        place = read_local(request.get_param("next") if is_choice else f"{request.path}{query}")
        return f"{request.root_path}{SETTINGS}?{urllib.parse.urlencode({'next': place})}"


def _address(request: falcon.Request, page: Page, choice: Mapping[str, str]) -> str:
    """Return the address of a page with what it keeps of the choice."""
    fields = page.arguments.model_fields
    query = urllib.parse.urlencode([pair for pair in choice.items() if pair[0] in fields])
    return f"{request.root_path}{page.path}{'?' if query else ''}{query}"
