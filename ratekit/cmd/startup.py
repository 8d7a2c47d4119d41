"""What all commands share: exit codes, error messages, the clock and the version."""

from __future__ import annotations

import datetime
import gc
import getpass
import os
import socket
import sys

import ratekit
from ratekit import errors, redact
from ratekit.text import printable

#: Exit codes, which doc/operating.rst lists.
FAILED = 1
BAD_INPUT = 2
#: The exit code that shells use after Ctrl-C.
INTERRUPTED = 130


def complain(prog: str, error: errors.RatekitError) -> int:
    """Print an error, one line for each mistake; return its exit code."""
    for line in error.lines():
        print(f"{prog}: {printable(redact.redact_urls(line))}", file=sys.stderr)
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
