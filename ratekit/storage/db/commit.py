"""Transactions whose outcome is verified when the database does not reply to COMMIT."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a committed transaction returned.

    :ivar acknowledged: the database replied to COMMIT. Otherwise the rows show that the same
        change was committed, perhaps by another processor: ids that the transaction read or
        created may then belong to no committed row.
    """

    result: T
    acknowledged: bool


def write(
    database: Database,
    change: Callable[[sa.Connection], T],
    is_pending: Callable[[sa.Connection, T], bool],
) -> Committed[T]:
    """Run ``change`` in one transaction; without a reply to COMMIT, verify the outcome.

    ``change`` must lock the rows that ``is_pending`` reads. ``is_pending`` must lock them again,
    so that it waits for the end of the first transaction. The first transaction has changed all
    of these rows or none. A row that another processor changed meanwhile was changed by the same
    work: that counts as written, too.

    :param change: writes, and returns a value
    :param is_pending: gets that value; returns whether the change is still to be made
    :raises ratekit.errors.TryLater: nothing was written, or the outcome cannot be verified. A
        repeated attempt is safe: it will see the outcome.
    :raises: as :meth:`Database.writing`
    """
    try:
        with database.writing() as connection:
            result = change(connection)
    except CommitUnconfirmed as error:
        unconfirmed = error
    else:
        return Committed(result, acknowledged=True)
    # Outside of the handler: an error of the verification has its own cause and context.
    _require_committed(database, lambda connection: is_pending(connection, result), unconfirmed)
    return Committed(result, acknowledged=False)


def _require_committed(
    database: Database, is_pending: Callable[[sa.Connection], bool], unconfirmed: CommitUnconfirmed
) -> None:
    """:raises ratekit.errors.TryLater: nothing was written, or that cannot be verified."""
    place = f"{unconfirmed.place}: no reply to COMMIT"
    try:
        with database.writing() as connection:
            pending = is_pending(connection)
    except errors.RatekitError as error:
        raise errors.TryLater(f"{place}; its outcome cannot be verified: {error}") from error
    if pending:
        raise errors.TryLater(
            f"{place}; verified: the transaction was not committed"
        ) from unconfirmed
    LOG.warning("%s; verified: the transaction was committed", place)
