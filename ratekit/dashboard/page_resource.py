"""Answers the requests of one page: arguments, permission, reading, and HTML or CSV."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import falcon

from ratekit.api import arguments, authentication
from ratekit.api.faults import Fault
from ratekit.api.visibility import Scopes, visible_scopes
from ratekit.dashboard import problem, visit
from ratekit.dashboard.frame import Frame
from ratekit.dashboard.page import Page, PageCall, View
from ratekit.dashboard.site import Site
from ratekit.export.csv_text import CSV, write_rows
from ratekit.html import environment
from ratekit.html.formats import Formats

#: Whose costs, and when: what a reader keeps in mind from page to page.
_CHOICE = ("scope", "begin", "end")
_NOBODY: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class _Content:
    """A page that was read.

    :ivar html: its content
    """

    view: View
    html: str


class PageResource:
    """Answers the verbs of one page."""

    def __init__(self, site: Site, page: Page) -> None:
        self._site = site
        self._page = page

    def on_get(self, request: falcon.Request, response: falcon.Response, **path: str) -> None:
        """Answer the page, or its table."""
        self._respond(request, response, {**arguments.query_values(request.params), **path})

    def on_head(self, request: falcon.Request, response: falcon.Response, **path: str) -> None:
        """Answer as to GET, without the body."""
        self.on_get(request, response, **path)

    def on_post(self, request: falcon.Request, response: falcon.Response, **path: str) -> None:
        """Answer the page to a form, or its table."""
        if not self._page.accepts_form:
            raise Fault(405, "this page has no form", Allow="GET, HEAD")
        self._respond(request, response, {**visit.of(request).form, **path})

    def _respond(
        self, request: falcon.Request, response: falcon.Response, values: dict[str, Any]
    ) -> None:
        form = values.pop("format", None)
        if form not in (None, "csv"):
            raise Fault(400, "format: expected csv, or nothing for the page")
        call = self._call(request, values)
        if form == "csv":
            self._answer_csv(response, call)
        else:
            self._answer(request, response, call)

    def _call(self, request: falcon.Request, values: dict[str, Any]) -> PageCall[Any]:
        """Return the call, if the caller may see the page."""
        site, page = self._site, self._page
        caller = authentication.caller(request.env)
        site.throttle.count(caller)
        model = arguments.read(page.arguments, values)
        scopes: Scopes = _NOBODY
        if page.rule is not None:
            scope_key = site.parts.conf.collect.scope_key
            demand = model.demand(scope_key)
            try:
                scopes = visible_scopes(site.parts.policies, page.rule, caller, demand, scope_key)
            except Fault as fault:
                raise problem.refuse(fault, page.rule, caller) from None
        return PageCall(
            site.parts,
            caller,
            model,
            scopes,
            f"{request.scheme}://{request.netloc}{request.root_path}",
            falcon.MEDIA_HTML,
            _record_nothing,
            request.root_path,
            site.zone(request),
        )

    def _answer(
        self, request: falcon.Request, response: falcon.Response, call: PageCall[Any]
    ) -> None:
        """Answer the page, as soon as it is read or the reader has waited long enough."""
        site = self._site
        formats = site.formats(request)
        choice = {name: text for name in _CHOICE if (text := request.get_param(name))}
        frame = dataclasses.replace(
            site.frame(request, self._page.title, choice), csv_link=_csv_link(request)
        )
        future = site.readers.start(lambda: self._read(call, formats, frame))
        response.content_type = falcon.MEDIA_HTML
        head, foot = frame.split(formats)
        if request.method == "HEAD" or site.readers.is_ready(future):
            content = future.result()
            response.status = content.view.status
            response.text = f"{head}{content.html}{foot}"
            return
        place = f"{request.method} {request.path}"
        response.stream = _stream(head, future, foot, formats, place, frame.settings_link)

    def _answer_csv(self, response: falcon.Response, call: PageCall[Any]) -> None:
        """Answer the table of the page; like a page, it is read by one of the readers."""
        name, content = self._site.readers.start(
            lambda: _write_csv(self._page.handler(call))
        ).result()
        response.content_type = f"{CSV}; charset=utf-8"
        response.set_header("Content-Disposition", f'attachment; filename="{name}.csv"')
        response.data = content

    def _read(self, call: PageCall[Any], formats: Formats, frame: Frame) -> _Content:
        view = self._page.handler(call)
        values = {**view.values, "frame": frame}
        return _Content(view, environment.render(self._page.template, formats, values))


def _stream(
    head: str,
    future: Future[_Content],
    foot: str,
    formats: Formats,
    place: str,
    settings_link: str,
) -> Iterator[bytes]:
    """Yield a page whose content comes late; the stylesheet hides the notice then."""
    yield f"{head}{environment.render('loading.html', formats, {})}".encode()
    try:
        html = future.result().html
    except Exception as error:  # noqa: BLE001 - the page has begun, and shows every error
        html = problem.explain(error, place).render(formats, settings_link)
    yield f'<div class="late">{html}</div>{foot}'.encode()


def _csv_link(request: falcon.Request) -> str:
    query = f"{request.query_string}&" if request.query_string else ""
    return f"{request.root_path}{request.path}?{query}format=csv"


def _write_csv(view: View) -> tuple[str, bytes]:
    """Return the name and the content of a file."""
    if view.table is None:
        raise Fault(404, "this page has no table")
    return view.table.name, b"".join(write_rows([view.table.columns, *view.table.rows]))


def _record_nothing(_: str) -> None:
    """Pages change nothing, so that there is nothing to record."""
