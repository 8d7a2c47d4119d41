"""A page that takes long, as Chromium shows it: its notice first, then its content alone."""

from __future__ import annotations

import contextlib
import pathlib
import socketserver
import threading
from collections.abc import Iterator
from wsgiref import simple_server

from playwright.sync_api import Browser, expect

from ratekit.api.arguments import Arguments
from ratekit.api.authentication import Wsgi
from ratekit.cmd import api, configuration
from ratekit.dashboard import application
from ratekit.dashboard.page import Page, PageCall, View
from tests.judges import live_api
from tests.pages.browser import Window

#: Seconds after which the test fails.
_PATIENCE = 60


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class _Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Do nothing."""


@contextlib.contextmanager
def serve(wsgi: Wsgi) -> Iterator[str]:
    """Serve an application; yield its URL."""
    with simple_server.make_server("127.0.0.1", 0, wsgi, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_notice_gives_way_to_the_content(tmp_path: pathlib.Path, browser: Browser) -> None:
    live_api.write_conf(tmp_path)
    arguments = ["--config-file", str(tmp_path / "ratekit.conf")]
    parts = api.build_parts(configuration.load_for_serving(api.PROG, arguments))
    answered = threading.Event()

    def show_late(_: PageCall[Arguments]) -> View:
        answered.wait(_PATIENCE)
        return View({"title": "Late", "message": "now", "advice": "", "settings_link": ""})

    pages = [Page("/dashboard/late", show_late, None, "Late", "error.html")]
    with serve(application.build(parts, pages, patience=0.1)) as url:
        window = Window(browser, url)
        try:
            window.page.goto("/dashboard/late", wait_until="commit")
            notice = window.page.get_by_text("Reading takes longer than usual")
            expect(notice).to_be_visible()
            expect(window.page.get_by_role("navigation")).to_be_visible()
            answered.set()
            expect(window.page.get_by_role("heading", name="Late")).to_be_visible()
            expect(notice).to_be_hidden()
            window.page.wait_for_load_state()
            assert window.inspect() == []
        finally:
            answered.set()
            window.close()
