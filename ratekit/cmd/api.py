"""ratekit-api: serves the HTTP API."""

from __future__ import annotations

import datetime
import logging
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.cmd import launch, startup

if TYPE_CHECKING:
    from ratekit.admin.rule_editing.editor import Editor
    from ratekit.api.authentication import Environ, Wsgi
    from ratekit.api.parts import Parts
    from ratekit.domain.schedule.calendar import Calendar
    from ratekit.interfaces import Storage

PROG = "ratekit-api"
LOG = logging.getLogger(__name__)
#: Seconds after which a client that sends or reads nothing is disconnected.
_SLOWEST = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped.

    :returns: 0 stopped, 1 the database did not answer, 2 the configuration is wrong
    """
    from ratekit.cmd import configuration

    try:
        startup.handle_interrupts()
        with configuration.translate_errors():
            conf = configuration.load_for_serving(PROG, sys.argv[1:] if argv is None else argv)
            application = build(conf)
        _serve(conf, application)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        return launch.INTERRUPTED
    return 0


def build(conf: Any) -> Wsgi:
    """Return the application.

    :raises ratekit.errors.OperatorError: the configuration or the database cannot be used
    :raises ratekit.errors.TryLater: the database did not answer
    """
    from ratekit.api import application, routes

    parts = build_parts(conf)
    # Once, so that a mistake in it is found at once.
    parts.metrics.load()
    return application.build(parts, routes.OPERATIONS)


def build_parts(conf: Any) -> Parts:
    """Return what operations work with."""
    from ratekit.api.metrics import MetricsFile
    from ratekit.api.parts import Limits, Parts
    from ratekit.api.policies import Policies, build_enforcer
    from ratekit.conf import collect
    from ratekit.storage.sql import build_storage

    section, calendar = conf.api, collect.build_calendar(conf)
    storage = build_storage(conf, section.statement_timeout)
    return Parts(
        conf=conf,
        storage=storage,
        calendar=calendar,
        policies=Policies(build_enforcer(conf)),
        metrics=MetricsFile(conf),
        editor=_build_editor(conf, storage, calendar),
        limits=Limits(
            section.max_body,
            section.max_rows,
            datetime.timedelta(days=section.max_range),
            section.max_groupby,
        ),
        clock=startup.now,
    )


def _build_editor(conf: Any, storage: Storage, calendar: Calendar) -> Editor:
    """Return what reads and changes single rules."""
    from ratekit import composition
    from ratekit.admin import hashmap
    from ratekit.admin.rule_editing.editor import Editor
    from ratekit.files import metrics_file

    path = conf.collect.metrics_conf
    labels = hashmap.rule_labels(metrics_file.read_labels(path, conf.collect.scope_key))
    return Editor(storage, calendar, composition.build_modules(conf), labels, path)


def _serve(conf: Any, application: Wsgi) -> None:
    import waitress

    section = conf.api
    server = waitress.create_server(
        application,
        host=section.host,
        port=section.port,
        threads=section.threads,
        channel_timeout=_SLOWEST,
        max_request_body_size=section.max_body,
        ident=None,
    )
    LOG.info("listening on http://%s:%s", server.effective_host, server.effective_port)
    server.run()


class LazyApplication:
    """Builds the application with the first request: a WSGI server forks after importing it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._application: Wsgi | None = None

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        with self._lock:
            if self._application is None:
                self._application = self._build()
        return self._application(environ, start_response)

    def _build(self) -> Wsgi:
        from ratekit.cmd import configuration

        try:
            with configuration.translate_errors():
                return build(configuration.load_for_serving(PROG, []))
        except errors.RatekitError as error:
            # The server's log has a traceback; this is what to do.
            startup.complain(PROG, error)
            raise
