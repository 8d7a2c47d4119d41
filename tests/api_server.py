"""An API behind a real HTTP server, in a thread of this process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref import simple_server

from ratekit.api import application, authentication, routes
from ratekit.api.parts import Parts
from tests.api_client import PROJECT, identify


@contextlib.contextmanager
def serve(parts: Parts, project: str | None = None) -> Iterator[str]:
    """Serve the API; yield its URL.

    :param project: everybody is a member of it; None: everybody is an administrator
    """
    wsgi = application.build(parts, routes.OPERATIONS, identify)

    def answer(environ: authentication.Environ, start_response: Any) -> Any:
        if project is not None:
            environ[f"HTTP_{PROJECT.upper().replace('-', '_')}"] = project
        return wsgi(environ, start_response)

    # Its connections end with their responses, so that none outlives the server.
    with simple_server.make_server("127.0.0.1", 0, answer, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(simple_server.WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing."""
