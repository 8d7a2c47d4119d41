"""An API in place of a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ratekit.domain.purge import PurgeMark
from ratekit.interfaces import Storage
from ratekit.remote.client import Client
from ratekit.remote.refusal import Refusal
from ratekit.remote.reports import RemoteReports


class _NoPurge(Refusal):
    """Knows of no purge: reports of the API say themselves what they lack."""

    def mark(self) -> PurgeMark:
        """Return an empty mark."""
        return PurgeMark()


def build_storage(client: Client, note: Callable[[str], None]) -> Storage:
    """Return a storage that has reports only; all else refuses to work.

    :param note: is told what a report lacks
    """
    absent: Any = Refusal()
    purge: Any = _NoPurge()
    return Storage(
        ledger=absent,
        rules=absent,
        reports=RemoteReports(client, note),
        scopes=absent,
        tasks=absent,
        task_ledger=absent,
        monitoring=absent,
        purge=purge,
    )
