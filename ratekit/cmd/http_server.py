"""The server of ratekit-api: waitress, whose own errors are in the API's dialects, too."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import waitress
from waitress import channel, server, task

from ratekit import errors
from ratekit.api import dialects
from ratekit.api.authentication import Wsgi
from ratekit.api.faults import INTERNAL, Fault
from ratekit.dashboard import bare_page
from ratekit.dashboard.page import is_page

LOG = logging.getLogger(__name__)
#: Seconds after which a client that sends or reads nothing is disconnected.
_SLOWEST = 60
_JSON = ("Content-Type", "application/json")


def serve(conf: Any, application: Wsgi) -> None:
    """Answer requests until a signal ends it; those that run have five seconds to finish.

    :raises ratekit.errors.RatekitError: it cannot listen
    :raises KeyboardInterrupt: by Ctrl-C
    """
    listener = listen(conf.api, application)
    for host, port in addresses(listener):
        LOG.info("listening on http://%s:%s", f"[{host}]" if ":" in host else host, port)
    interrupted = False

    def interrupt(_signal: int, _frame: object) -> NoReturn:
        # The server does not tell what has ended it.
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as by nohup
        signal.signal(signal.SIGINT, interrupt)
    listener.run()
    if interrupted:
        raise KeyboardInterrupt


def addresses(listener: Any) -> Sequence[tuple[str, int]]:
    """Return where a server listens: a name, such as localhost, may have several addresses."""
    if isinstance(listener, server.MultiSocketServer):
        return [(str(host), int(port)) for host, port in listener.effective_listen]
    return [(listener.effective_host, listener.effective_port)]


def listen(section: Any, application: Wsgi) -> Any:
    """Return a server that listens; its ``run`` answers.

    :param section: [api]
    :raises ratekit.errors.RatekitError: it cannot listen
    """
    place = f"[api] cannot listen on {section.host}, port {section.port}"
    parts: dict[int, Any] = {}
    try:
        listener = waitress.create_server(
            application,
            map=parts,
            host=section.host,
            port=section.port,
            threads=section.threads,
            channel_timeout=_SLOWEST,
            # It refuses this size, too.
            max_request_body_size=section.max_body + 1,
            ident=None,
            # [oslo_middleware] decides whether X-Forwarded headers are believed.
            clear_untrusted_proxy_headers=False,
        )
    except OSError as error:
        reason = f"{place}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            raise errors.TryLater(f"{reason}; another process uses it") from None
        raise errors.OperatorError(reason) from None
    except ValueError:
        raise errors.OperatorError(f"{place}: expected an address of this host") from None
    for part in parts.values():
        if isinstance(part, server.BaseWSGIServer):
            part.channel_class = functools.partial(_Channel, section.read_timeout)
    return listener


class _ErrorTask(task.ErrorTask):  # type: ignore[misc]
    """Answers a request that the application does not get, or does not answer."""

    def execute(self) -> None:
        """Write the error as the API writes its own."""
        error = self.request.error
        path = getattr(self.channel.requests[0], "path", "/")
        message = INTERNAL if error.code == 500 else f"{error.reason}: {error.body}"
        fault = Fault(error.code, message)
        if is_page(path):
            headers, body = bare_page.render(fault)
        else:
            dialect = dialects.of_path(path)
            headers, body = [_JSON], dialect.encode(dialect.fault(fault))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(headers)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(channel.HTTPChannel):  # type: ignore[misc]
    """A connection, which ends if its client reads an answer too slowly.

    A thread that writes a long answer waits for its client, and nothing else would end that.

    :param limit: seconds from the first part of an answer until all of it must have been read
    """

    error_task_class = _ErrorTask
    _deadline: float | None = None

    def __init__(self, limit: float, *arguments: Any, **options: Any) -> None:
        self._limit = limit
        super().__init__(*arguments, **options)

    def service(self) -> None:
        """Answer a request, in a thread of its own."""
        self._deadline = None
        super().service()

    def write_soon(self, data: Any) -> Any:
        """Take a part of an answer; wait while too much of it has not been read."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._limit
        return super().write_soon(data)

    def writable(self) -> Any:
        """Return whether there is something to send; the server asks at least each second."""
        if not (self.total_outbufs_len or self.requests):
            self._deadline = None
        elif self._deadline is not None and time.monotonic() > self._deadline:
            self._disconnect()
        return super().writable()

    def _disconnect(self) -> None:
        """Let the next attempt to send fail: the server cleans up after it as after any other."""
        self._deadline = None
        LOG.warning(
            "%s did not read an answer within [api] read_timeout, %s s", self.addr[0], self._limit
        )
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
