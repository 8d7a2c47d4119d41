"""Removing credentials from messages and logs."""

from __future__ import annotations

import logging
import re

# Up to the last @, because an @ in a password may not be escaped.
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")


def redact_urls(text: str) -> str:
    """Return ``text`` without the user names and passwords of the URLs in it."""
    return _USERINFO.sub("", text)


class Formatter(logging.Formatter):
    """Redacts what another formatter returns, including tracebacks."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return redact_urls(self._inner.format(record))


def redact_logs() -> None:
    """Make the handlers of the root logger redact, because libraries log URLs."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, Formatter):
            handler.setFormatter(Formatter(handler.formatter or logging.Formatter()))
