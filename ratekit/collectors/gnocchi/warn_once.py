"""Warnings that would otherwise be repeated with every batch."""

from __future__ import annotations

import logging


class WarnOnce:
    """Logs each text once."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._texts: set[str] = set()

    def warn(self, text: str) -> None:
        """Log ``text`` as a warning, unless it was logged before."""
        if text not in self._texts:
            self._texts.add(text)
            self._log.warning("%s", text)
