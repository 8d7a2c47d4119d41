"""Log lines for systemd's journal: with their priority, and without what it records by itself."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

#: Priorities of syslog(3), which sd-daemon(3) reads at the start of a line.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
#: The journal has the time and the process.
_FORMAT = "%(levelname)s %(name)s: %(instance)s%(message)s"
_EXCEPTION_PREFIX = "%(levelname)s %(name)s: %(instance)s"


class PriorityFormatter(logging.Formatter):
    """Writes the priority before each line that another formatter returns.

    Without it the journal takes every line for information, and each line of a traceback is an
    entry of its own.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        mark = _mark(record.levelno)
        return "\n".join(mark + line for line in self._inner.format(record).split("\n"))


def is_read_from(stream: Any) -> bool:
    """Return whether what is written to a stream goes to the journal.

    systemd names the device and inode in the environment, which processes inherit that write
    elsewhere.
    """
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def error_mark() -> str:
    """Return what comes before an error on standard error; outside of the journal nothing."""
    return _mark(logging.ERROR) if is_read_from(sys.stderr) else ""


def shorten_lines(conf: Any) -> None:
    """Leave out the time and the process by default, if all lines go to the journal."""
    elsewhere = (conf.log_file, conf.log_dir, conf.use_syslog, conf.log_config_append)
    if is_read_from(sys.stderr) and not any(elsewhere):
        conf.set_default("logging_default_format_string", _FORMAT)
        conf.set_default("logging_exception_prefix", _EXCEPTION_PREFIX)


def mark_lines() -> None:
    """Make the root logger's handlers write priorities, if they write to the journal."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and is_read_from(handler.stream):
            handler.setFormatter(PriorityFormatter(handler.formatter or logging.Formatter()))


def _mark(level: int) -> str:
    number = next((number for least, number in _PRIORITIES if level >= least), _DEBUG)
    return f"<{number}>"
