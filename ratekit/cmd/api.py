"""ratekit-api: serves the HTTP API."""

from __future__ import annotations

import datetime
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ratekit import errors
from ratekit.cmd import launch, startup

if TYPE_CHECKING:
    from ratekit.admin.rule_editing.editor import Editor
    from ratekit.api.authentication import Wsgi
    from ratekit.api.parts import Parts
    from ratekit.domain.schedule.calendar import Calendar
    from ratekit.interfaces import Storage

PROG = "ratekit-api"
_ONLY_HERE = "[api] auth_strategy: noauth works with the command ratekit-api only; use keystone"

_NEEDS_KEYS = (
    "[api] dashboard_keys: missing; without it the pages work with the command ratekit-api only: "
    "the processes of other servers must share a key, as 'openssl rand -base64 32' writes it"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped.

    While the database does not answer, each request is told to come back later.

    :returns: 0 stopped, 1 the address is in use, 2 the configuration is wrong
    """
    from ratekit.cmd import configuration, http_server
    from ratekit.cmd.lazy_application import LazyApplication

    try:
        startup.handle_interrupts()
        signal.signal(signal.SIGTERM, _end)
        with configuration.translate_errors():
            conf = configuration.load_for_serving(PROG, sys.argv[1:] if argv is None else argv)
            application = LazyApplication(lambda: build(conf))
            application.prepare()
            http_server.serve(conf, application)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        return launch.INTERRUPTED
    return 0


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def build(conf: Any) -> Wsgi:
    """Return the application.

    :raises ratekit.errors.OperatorError: the configuration or the database cannot be used
    :raises ratekit.errors.TryLater: the database did not answer
    """
    from ratekit.api import application, routes

    parts = build_parts(conf)
    # Once, so that a mistake in it is found at once.
    parts.metrics.load()
    wsgi = application.build(parts, routes.OPERATIONS)
    return _add_pages(wsgi, parts) if conf.api.dashboard else wsgi


def _add_pages(wsgi: Wsgi, parts: Parts) -> Wsgi:
    """Return the API with the pages for people beside it."""
    from ratekit.dashboard import application, routes

    return application.mount(wsgi, application.build(parts, routes.PAGES))


def build_from_files() -> Wsgi:
    """Return the application of the configuration in the usual files; reads no command line.

    :raises: as :func:`build`
    """
    from ratekit.cmd import configuration

    try:
        with configuration.translate_errors():
            conf = configuration.load_for_serving(PROG, [])
            if conf.api.auth_strategy == "noauth":
                # [api] host, which must be a loopback address, is not where other servers listen.
                raise errors.OperatorError(_ONLY_HERE)
            if conf.api.dashboard and not conf.api.dashboard_keys:
                # The server may have several processes, of which each would have its own.
                raise errors.OperatorError(_NEEDS_KEYS)
            return build(conf)
    except errors.OperatorError as error:
        # The server's log has a traceback; this is what to do.
        startup.complain(PROG, error)
        raise


def build_parts(conf: Any) -> Parts:
    """Return what operations work with."""
    from ratekit.api.metrics import MetricsWatch
    from ratekit.api.parts import Limits, Parts
    from ratekit.api.policies import Policies, build_enforcer
    from ratekit.api.streams import Streams
    from ratekit.conf import collect
    from ratekit.storage.sql import build_storage

    section, calendar = conf.api, collect.build_calendar(conf)
    storage = build_storage(conf, section.statement_timeout, section.threads)
    return Parts(
        conf=conf,
        storage=storage,
        calendar=calendar,
        policies=Policies(build_enforcer(conf)),
        metrics=MetricsWatch(conf),
        editor=_build_editor(conf, storage, calendar),
        limits=Limits(
            section.max_body,
            section.max_rows,
            datetime.timedelta(days=section.max_range),
            section.max_groupby,
        ),
        streams=Streams(max(1, min(section.streams, section.threads - 1))),
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
