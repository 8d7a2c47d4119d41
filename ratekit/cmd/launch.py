"""The console scripts: each imports its command, which takes a while, and runs it."""

from __future__ import annotations

import gc
import importlib
import signal

#: The exit code that shells use after Ctrl-C.
INTERRUPTED = 130
_OBJECTS_BETWEEN_SEARCHES = 50_000


def ratekit() -> int:
    """Run ``ratekit``; return the exit code."""
    return _launch("ratekit.cmd.ratekit")


def api() -> int:
    """Run ``ratekit-api``; return the exit code."""
    return _launch("ratekit.cmd.api")


def dbsync() -> int:
    """Run ``ratekit-dbsync``; return the exit code."""
    return _launch("ratekit.cmd.dbsync")


def processor() -> int:
    """Run ``ratekit-processor``; return the exit code."""
    return _launch("ratekit.cmd.processor")


def _launch(name: str) -> int:
    """Import a module and call its ``main``.

    Until ``main`` calls :func:`ratekit.cmd.startup.handle_interrupts`, and after it, Ctrl-C ends
    the process at once: KeyboardInterrupt would be a traceback.
    """
    _end_at_interrupt()
    # Imports create very many objects and no garbage: searching them took a tenth of a report.
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)
    try:
        code: int = importlib.import_module(name).main()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _end_at_interrupt()
    return code


def _end_at_interrupt() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
