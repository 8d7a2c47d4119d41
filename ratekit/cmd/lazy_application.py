"""An application that is built when it is needed, and again while the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ratekit import errors

if TYPE_CHECKING:
    from ratekit.api.authentication import Environ, Wsgi

LOG = logging.getLogger(__name__)

#: Seconds until the database is asked again.
_PAUSE = 5.0


class LazyApplication:
    """Builds an application with the first request: a WSGI server forks after importing it.

    :param build: returns the application; raises TryLater while the database does not answer
    """

    def __init__(self, build: Callable[[], Wsgi]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._application: Wsgi | None = None
        self._next_attempt = 0.0

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        application = self._application or self.prepare() or _answer_unavailable
        return application(environ, start_response)

    def prepare(self) -> Wsgi | None:
        """Return the application; None while the database does not answer.

        :raises ratekit.errors.OperatorError: it can never be built
        """
        with self._lock:
            if self._application is None and time.monotonic() >= self._next_attempt:
                try:
                    self._application = self._build()
                except errors.TryLater as error:
                    self._next_attempt = time.monotonic() + _PAUSE
                    for line in error.lines():
                        LOG.error("%s; trying again", line)
            return self._application


def _answer_unavailable(environ: Environ, start_response: Any) -> Iterable[bytes]:
    from ratekit.api import dialects
    from ratekit.api.faults import UNAVAILABLE, Fault
    from ratekit.dashboard import bare_page
    from ratekit.dashboard.page import is_page

    fault = Fault(503, UNAVAILABLE, Retry_After=f"{_PAUSE:.0f}")
    if is_page(str(environ.get("PATH_INFO", ""))):
        return bare_page.write_fault(environ, start_response, fault)
    return dialects.write_fault(environ, start_response, fault)
