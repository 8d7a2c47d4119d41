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
from ratekit.dashboard.headers import SecurityHeaders
from ratekit.dashboard.page import ROOT, Page
from ratekit.dashboard.page_resource import PageResource
from ratekit.dashboard.site import Site
from ratekit.dashboard.slow import PATIENCE, Readers
from ratekit.html import environment

#: Files that browsers may keep, and their types.
_STATIC = {
    **dict.fromkeys(environment.STYLESHEETS, "text/css; charset=utf-8"),
    "icon.svg": "image/svg+xml",
}
#: An hour: it changes when ratekit is upgraded.
_CACHE = "public, max-age=3600"


def build(
    parts: Parts,
    pages: Sequence[Page],
    authenticate: Authenticate = authentication.authenticate,
    patience: float = PATIENCE,
) -> Wsgi:
    """Return the application.

    :param pages: all of them
    :param authenticate: returns an application behind authentication
    :param patience: seconds until a page is shown without its content
    """
    site = Site(parts, pages, Readers(parts.conf.api.threads, patience))
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = False
    app.add_error_handler(Exception, site.show_error)
    app.add_route(ROOT, _Start(pages))
    for page in pages:
        app.add_route(page.path, PageResource(site, page))
    static = _Static()
    app.add_route(f"{ROOT}/static/{{name}}", static)
    public = dict.fromkeys((f"{ROOT}/static/{name}" for name in _STATIC), app)
    inner: Any = authenticate(app, parts.conf, public)
    inner = request_id.RequestId(authentication.Context(inner))
    return SecurityHeaders(http_proxy_to_wsgi.HTTPProxyToWSGI(inner, parts.conf))


def mount(api: Wsgi, dashboard: Wsgi) -> Wsgi:
    """Return an application with the pages below :data:`ROOT`, and the API elsewhere.

    The pages are beside the API's middleware: [cors] opens no page to another origin.
    """

    def choose(environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        is_page = path == ROOT or path.startswith(f"{ROOT}/")
        return (dashboard if is_page else api)(environ, start_response)

    return choose


class _Start:
    """Leads to the first page."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._path = pages[0].path

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Redirect."""
        response.status = 303
        response.set_header("Location", f"{request.root_path}{self._path}")


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
