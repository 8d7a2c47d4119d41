"""The console scripts: each imports its command, which takes a while, and runs it."""

from __future__ import annotations

import importlib
import signal

from ratekit.cmd import startup


def ratekit() -> int:
    """Run ``ratekit``; return the exit code."""
    return _launch("ratekit.cmd.ratekit")


def dbsync() -> int:
    """Run ``ratekit-dbsync``; return the exit code."""
    return _launch("ratekit.cmd.dbsync")


def processor() -> int:
    """Run ``ratekit-processor``; return the exit code."""
    return _launch("ratekit.cmd.processor")


def _launch(name: str) -> int:
    """Import a module and call its ``main``.

    During the import Ctrl-C ends the process at once: KeyboardInterrupt would be a traceback.
    """
    ignored = signal.getsignal(signal.SIGINT) is not signal.default_int_handler  # as by nohup
    if not ignored:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    module = importlib.import_module(name)
    try:
        if not ignored:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code: int = module.main()
    except KeyboardInterrupt:
        return startup.INTERRUPTED
    return code
