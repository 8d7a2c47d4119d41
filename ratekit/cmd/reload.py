"""Re-reading the configuration's files while the daemon runs."""

from __future__ import annotations

import logging
from typing import Any


def adopt_files(conf: Any, warns: bool) -> None:
    """Give ``conf`` the new values of options that may change at run time.

    :param warns: log which other options have changed
    """
    hints = _RestartHints(warns)
    logger = logging.getLogger("oslo_config.cfg")
    logger.addFilter(hints)
    try:
        conf.mutate_config_files()
    finally:
        logger.removeFilter(hints)


class _RestartHints(logging.Filter):
    """Says in oslo.config's warning of a changed option what to do, as in all other messages."""

    def __init__(self, warns: bool) -> None:
        super().__init__()
        self._warns = warns

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        change = record.args
        if not isinstance(change, dict) or set(change) != {"group", "option"}:
            return True
        name = str(change["option"]).replace("-", "_")
        record.args = (change["group"], name)
        record.msg = "[%s] %s has changed in the files: restart the daemon to apply it"
        return self._warns
