"""Removing credentials and control characters from messages and logs."""

from __future__ import annotations

import copy
import logging
import re
from typing import Any

from ratekit.text import printable

# Up to the last @, because an @ in a password may not be escaped.
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
# What a traceback may keep: line breaks, and the colours of oslo.log's levels.
_LAYOUT = re.compile(r"(\n|\x1b\[0[01](?:;3[1-7])?m)")


def redact_urls(text: str) -> str:
    """Return ``text`` without the user names and passwords of the URLs in it."""
    return _USERINFO.sub("", text)


def clean_traceback(text: str) -> str:
    """Return several lines without credentials and with control characters escaped."""
    parts = _LAYOUT.split(redact_urls(text))
    # Texts and what separates them by turns.
    parts[::2] = map(printable, parts[::2])
    return "".join(parts)


class Formatter(logging.Formatter):
    """Cleans what another formatter returns, including tracebacks.

    A message is one line: names come from a cloud's users, who could forge others.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        line = copy.copy(record)
        line.msg, line.args = printable(redact_urls(record.getMessage())), None
        return clean_traceback(self._inner.format(line))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return a traceback, which some handlers ask for beside the text."""
        return clean_traceback(self._inner.formatException(ei))


def clean_logs() -> None:
    """Make all handlers clean their output, because libraries log URLs and foreign names."""
    loggers = (logging.getLogger(), *logging.Logger.manager.loggerDict.values())
    for logger in loggers:
        # Parents without a logger of their own have no handlers.
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if not isinstance(handler.formatter, Formatter):
                handler.setFormatter(Formatter(handler.formatter or logging.Formatter()))
