"""The row that says until when frames and totals were purged."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.purge import PurgeMark
from ratekit.storage.schema import PURGE_MARK


def read(connection: sa.Connection) -> PurgeMark:
    """Return the mark."""
    columns = PURGE_MARK.c.frames_until, PURGE_MARK.c.totals_until
    row = connection.execute(sa.select(*columns)).first()
    return PurgeMark() if row is None else PurgeMark(*row)


def require_kept(mark: PurgeMark, begin: datetime.datetime) -> None:
    """Require that the periods from ``begin`` on have their frames.

    :raises ratekit.errors.OperatorError: they were purged, wholly or in part
    """
    if (refusal := mark.explain_refusal(begin)) is not None:
        raise errors.OperatorError(refusal)


def lock(connection: sa.Connection) -> PurgeMark:
    """Return the mark, which stays as it is until the transaction ends.

    To be called before any other row is locked. It changes the row, because a lock would not be
    seen by the other nodes of a Galera cluster.
    """
    connection.execute(PURGE_MARK.update().values(uses=PURGE_MARK.c.uses + 1))
    return read(connection)
