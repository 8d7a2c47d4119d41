"""The storage that a configuration names."""

from __future__ import annotations

from typing import Any

from ratekit.interfaces import Storage
from ratekit.storage import sql


def build_storage(conf: Any) -> Storage:
    """Open the database that ``conf`` names.

    :raises ratekit.errors.OperatorError: the database cannot be used as it is
    :raises ratekit.errors.TryLater: it did not answer
    """
    return sql.open_storage(
        conf.database.connection,
        scope_key=conf.collect.scope_key,
        fetcher=conf.fetcher.backend,
        collector=conf.collect.collector,
    )
