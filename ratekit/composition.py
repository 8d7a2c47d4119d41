"""The parts that both the processor and the operator's commands are made of.

Apart from service.py, since a command needs neither green threads nor the time that
importing them takes.
"""

from __future__ import annotations

import datetime
from typing import Any

from ratekit import errors, interfaces, plugins
from ratekit.domain.due import Calendar


def build_storage(conf: Any) -> interfaces.Storage:
    """Return the storage that ``conf`` names.

    :raises ratekit.errors.OperatorError: it is unknown, or the database is not ready
    """
    driver = plugins.load(plugins.STORAGE, conf.storage.backend)
    storage = driver.from_conf(conf)
    if not isinstance(storage, interfaces.Storage):
        raise errors.OperatorError(f"the storage plug-in returned {storage!r}")
    return storage


def build_calendar(conf: Any) -> Calendar:
    """Return the grid of periods that ``conf`` names."""
    return Calendar(datetime.timedelta(seconds=conf.collect.period), conf.collect.wait_periods)
