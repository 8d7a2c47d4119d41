"""Transactions whose outcome is verified when the reply to COMMIT does not tell it."""

from __future__ import annotations

import enum
import logging
import secrets
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Outcome(enum.Enum):
    """What the rows show after a COMMIT without a reply.

    :cvar PENDING: the change is still to be made
    :cvar WRITTEN: the transaction was committed
    :cvar LOST: another transaction made the change, or a later one
    """

    PENDING = "was not committed"
    WRITTEN = "was committed"
    LOST = "was not committed, because another processor was first"


def new_writer() -> int:
    """Return a number that tells a transaction's rows from those of all others."""
    return secrets.randbits(62)


def write(
    database: Database,
    change: Callable[[sa.Connection], T],
    read_outcome: Callable[[sa.Connection, T], Outcome],
) -> T | None:
    """Run ``change`` in one transaction; if COMMIT's outcome is unknown, verify it.

    ``change`` must lock the rows that ``read_outcome`` reads, which must lock them again, so that
    it waits for the end of the first transaction. That has changed all of these rows or none.

    :param change: writes, and returns a value, never None
    :param read_outcome: gets that value
    :returns: that value, or None: nothing was written, because another transaction was first
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
        return result
    # Outside of the handler: an error of the verification has its own cause and context.
    outcome = _verify(database, lambda connection: read_outcome(connection, result), unconfirmed)
    return result if outcome is Outcome.WRITTEN else None


def _verify(
    database: Database,
    read_outcome: Callable[[sa.Connection], Outcome],
    unconfirmed: CommitUnconfirmed,
) -> Outcome:
    """:raises ratekit.errors.TryLater: nothing was written, or that cannot be verified."""
    place, reply = unconfirmed.place, unconfirmed.reply
    try:
        with database.writing() as connection:
            outcome = read_outcome(connection)
    except errors.RatekitError as error:
        raise errors.TryLater(
            f"{place}: {reply}; its outcome cannot be verified: {error}"
        ) from error
    line = f"{place}: {reply}; verified: the transaction {outcome.value}"
    if outcome is Outcome.PENDING:
        raise errors.TryLater(line) from unconfirmed
    LOG.warning("%s", line)
    return outcome
