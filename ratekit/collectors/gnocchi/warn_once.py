"""Warnings that would otherwise come again with every batch."""

from __future__ import annotations

import logging


class WarnOnce:
    """Logs each text once."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: set[str] = set()

    def warn(self, text: str) -> None:
        """Log ``text`` as a warning, unless it has been."""
        if text not in self._said:
            self._said.add(text)
            self._log.warning("%s", text)
