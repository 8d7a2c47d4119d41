"""What all pages share: the menu, the reader's zone and names, and how errors are shown."""

from __future__ import annotations

import dataclasses
import zoneinfo
from collections.abc import Iterator, Sequence

import falcon

import ratekit
from ratekit.api import authentication
from ratekit.api.parts import Parts
from ratekit.api.policies import project_target
from ratekit.api.throttle import Throttle
from ratekit.dashboard import problem
from ratekit.dashboard.frame import Frame, MenuEntry, MenuSection, Person
from ratekit.dashboard.page import Page, Section
from ratekit.dashboard.slow import Readers
from ratekit.html.formats import Formats


class Site:
    """All pages, and what is around them.

    :ivar parts: the API's
    :ivar readers: the threads in which pages are read
    :ivar throttle: counts requests of each project, as the API does
    """

    def __init__(self, parts: Parts, pages: Sequence[Page], readers: Readers) -> None:
        self.parts = parts
        self.readers = readers
        self.throttle = Throttle(parts.conf.api.requests_per_minute)
        self._pages = pages

    def zone(self, request: falcon.Request) -> zoneinfo.ZoneInfo:
        """Return the reader's zone."""
        return zoneinfo.ZoneInfo(self.parts.conf.api.dashboard_zone)

    def formats(self, request: falcon.Request) -> Formats:
        """Return how numbers and times are written for the reader."""
        section = self.parts.conf.rating
        return Formats(self.zone(request), section.currency, section.decimals)

    def frame(self, request: falcon.Request, title: str) -> Frame:
        """Return what is around a page's content, for this reader."""
        frame = Frame(title, request.root_path, ratekit.__version__)
        if authentication.CALLER not in request.env:
            return frame
        caller = authentication.caller(request.env)
        person = Person(
            caller.user_name or caller.user_id or "", caller.project_name or caller.project_id or ""
        )
        return dataclasses.replace(frame, person=person, menu=list(self._menu(request)))

    def show_error(
        self, request: falcon.Request, response: falcon.Response, error: Exception, _: object
    ) -> None:
        """Answer an error as a page."""
        trouble = problem.explain(error, f"{request.method} {request.path}")
        formats = self.formats(request)
        head, foot = self.frame(request, trouble.title).split(formats)
        response.status = trouble.fault.status
        response.set_headers(trouble.fault.headers)
        response.content_type = falcon.MEDIA_HTML
        response.text = f"{head}{trouble.render(formats)}{foot}"

    def _menu(self, request: falcon.Request) -> Iterator[MenuSection]:
        """Yield the parts of the menu that have pages for the caller."""
        caller = authentication.caller(request.env)
        target = project_target(caller.project_id)
        for section in Section:
            entries = [
                MenuEntry(page.title, f"{request.root_path}{page.path}", page.path == request.path)
                for page in self._pages
                if page.section is section
                and (page.rule is None or self.parts.policies.allows(page.rule, caller, target))
            ]
            if entries:
                yield MenuSection(section.value, entries)
