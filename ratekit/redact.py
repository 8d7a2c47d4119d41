"""Keeping secrets out of what people read."""

from __future__ import annotations

import logging
import re

# Up to the last @, since whoever writes a password with one may not have escaped it.
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")


def redacted(text: str) -> str:
    """Return ``text`` with names and passwords taken out of the URLs in it."""
    return _USERINFO.sub("", text)


class Formatter(logging.Formatter):
    """Formats as another one does, tracebacks included, and redacts the result."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return redacted(self._inner.format(record))


def redact_logs() -> None:
    """Have the process's log handlers redact: libraries log the URLs that they are given."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, Formatter):
            handler.setFormatter(Formatter(handler.formatter or logging.Formatter()))
