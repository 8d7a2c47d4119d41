"""The WSGI application of the pages: Falcon, behind the API's own authentication."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import falcon
from oslo_middleware import http_proxy_to_wsgi, request_id

from ratekit.api import authentication
from ratekit.api.authentication import Authenticate, Environ, Wsgi
from ratekit.api.faults import Fault
from ratekit.api.parts import Parts
from ratekit.dashboard.access import Access, EndedTokens
from ratekit.dashboard.cookie import SessionCookies, choose_keys
from ratekit.dashboard.headers import SecurityHeaders
from ratekit.dashboard.identity import Identity
from ratekit.dashboard.login import Login, Logout
from ratekit.dashboard.page import ROOT, Page, is_page
from ratekit.dashboard.page_resource import PageResource
from ratekit.dashboard.settings import ProjectChoice, Settings, ZoneChoice
from ratekit.dashboard.site import SETTINGS, Site
from ratekit.dashboard.slow import PATIENCE, QUEUE, Readers
from ratekit.dashboard.visit import LOGIN, LOGOUT, Visits
from ratekit.html import environment

#: Files that browsers may keep, and their types.
_STATIC = {
    **dict.fromkeys(environment.STYLESHEETS, "text/css; charset=utf-8"),
    "icon.svg": "image/svg+xml",
}
#: A day; addresses have ratekit's version.
_CACHE = "public, max-age=86400"


def build(
    parts: Parts,
    pages: Sequence[Page],
    authenticate: Authenticate = authentication.authenticate,
    patience: float = PATIENCE,
    queue: float = QUEUE,
) -> Wsgi:
    """Return the application.

    :param pages: all of them
    :param authenticate: returns an application behind authentication
    :param patience: seconds until a page is shown without its content
    :param queue: seconds until a page is refused because others are read
    :raises ratekit.errors.OperatorError: the configuration cannot be used
    """
    conf = parts.conf
    needs_token = conf.api.auth_strategy == "keystone"
    cookies = SessionCookies(choose_keys(conf.api.dashboard_keys, needs_token), parts.clock)
    site = Site(parts, pages, Readers(conf.api.threads, patience, queue), cookies)
    app = _build_app(site, pages)
    ended = EndedTokens(conf.keystone_authtoken.token_cache_time)
    identity = Identity(conf) if needs_token else None
    app.add_route(SETTINGS, Settings(site, identity))
    app.add_route(f"{ROOT}/zone", ZoneChoice(site))
    public = {f"{ROOT}/static/"}
    if identity is not None:
        app.add_route(LOGIN, Login(site, identity))
        app.add_route(LOGOUT, Logout(site, identity, ended))
        app.add_route(f"{ROOT}/project", ProjectChoice(site, identity, ended))
        public |= {LOGIN, LOGOUT}
    inner: Any = Access(app, authenticate(app, conf, {}), cookies, ended, public, needs_token)
    inner = request_id.RequestId(authentication.Context(inner))
    return SecurityHeaders(http_proxy_to_wsgi.HTTPProxyToWSGI(inner, conf))


def _build_app(site: Site, pages: Sequence[Page]) -> Any:
    """Return Falcon with the pages and what needs no log-in."""
    limit = site.parts.limits.body
    app = falcon.App(middleware=[Visits(site.cookies, limit)])
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = False
    multipart = falcon.media.MultipartFormHandler()
    multipart.parse_options.max_body_part_buffer_size = limit
    app.req_options.media_handlers[falcon.MEDIA_MULTIPART] = multipart
    # Falcon has a handler of its own for HTTPError.
    for kind in (Exception, falcon.HTTPError):
        app.add_error_handler(kind, site.show_error)
    app.add_route(ROOT, _Start(site))
    app.add_route(f"{ROOT}/static/{{name}}", _Static())
    for page in pages:
        app.add_route(page.path, PageResource(site, page))
    return app


def mount(api: Wsgi, dashboard: Wsgi) -> Wsgi:
    """Return an application with the pages below :data:`ROOT`, and the API elsewhere.

    The pages are beside the API's middleware: [cors] opens no page to another origin.
    """

    def choose(environ: Environ, start_response: Any) -> Iterable[bytes]:
        chosen = dashboard if is_page(str(environ.get("PATH_INFO", ""))) else api
        return chosen(environ, start_response)

    return choose


class _Start:
    """Leads to the first page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Redirect."""
        response.status = 303
        response.set_header("Location", f"{request.root_path}{self._site.start(request)}")

    on_head = on_get


class _Static:
    """The stylesheet and the icon."""

    def __init__(self) -> None:
        self._files = {name: environment.read_static(name) for name in _STATIC}

    def on_get(self, _: falcon.Request, response: falcon.Response, name: str) -> None:
        """Answer a file."""
        if name not in self._files:
            raise Fault(404, "there is no such file")
        response.data = self._files[name]
        response.content_type = _STATIC[name]
        response.set_header("Cache-Control", _CACHE)

    on_head = on_get
