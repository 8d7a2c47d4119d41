"""What all commands share: exit codes, error messages, the clock and the version."""

from __future__ import annotations

import datetime
import gc
import getpass
import io
import os
import signal
import socket
import sys

import ratekit
from ratekit import errors, redact
from ratekit.cmd import journal
from ratekit.text import printable

#: Exit codes, which doc/operating.rst lists.
FAILED = 1
BAD_INPUT = 2


def handle_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, which ``launch`` has prevented."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def prepare_streams() -> None:
    """Replace closed streams by the null device, and letters that a terminal lacks by ``?``."""
    # The null device stays open for the process's life.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def complain(prog: str, error: errors.RatekitError) -> int:
    """Print an error, one line for each mistake; return its exit code."""
    mark = journal.error_mark()
    for line in error.lines():
        print(f"{mark}{prog}: {printable(redact.redact_urls(line))}", file=sys.stderr)
    return BAD_INPUT if isinstance(error, errors.OperatorError) else FAILED


def warn(prog: str, text: str) -> None:
    """Print a warning to standard error."""
    print(f"{prog}: warning: {printable(text)}", file=sys.stderr)


def operator() -> str:
    """Return who runs this process, for records: ``user@host``."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def now() -> datetime.datetime:
    """Return the current time, aware, UTC."""
    return datetime.datetime.now(datetime.UTC)


def version() -> str:
    """Return the installed version."""
    return ratekit.__version__


def limit_garbage_collection() -> None:
    """Make Python search for reference cycles less often.

    A batch is hundreds of thousands of small containers without cycles. Searching them, and
    everything that was imported, took a third of ratekit's own time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
