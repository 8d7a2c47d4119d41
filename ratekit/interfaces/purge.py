"""Removing what was rated long ago."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Iterator

from ratekit.domain.purge import PurgeCount, PurgeMark


class Purge(abc.ABC):
    """Removes old frames and totals of all scopes, and remembers until when.

    States, descriptors, rules and records of tasks stay. A scope that is not yet rated until the
    mark is left out: its next periods are before the mark.
    """

    @abc.abstractmethod
    def mark(self) -> PurgeMark:
        """Return until when was purged.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def count(self, before: datetime.datetime, totals: bool) -> PurgeCount:
        """Return what a purge would remove; change nothing.

        :param before: UTC, exclusive
        :param totals: totals, too
        :raises ratekit.errors.OperatorError: an open task needs what would be removed
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def scopes_behind(self, before: datetime.datetime) -> int:
        """Return how many scopes a purge would leave out, since they are not rated until then.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def start(self, before: datetime.datetime, totals: bool) -> None:
        """Move the mark, after which no scope is reset and no task queued before it.

        The mark never moves back.

        :raises: as :meth:`count`; nothing was changed
        """

    @abc.abstractmethod
    def remove(self, limit: int) -> Iterator[PurgeCount]:
        """Remove what is before the mark; yield what each transaction removed.

        No transaction is open between two steps. It may be stopped at any step: another call
        removes the rest.

        :param limit: maximum number of rows a transaction
        :raises ratekit.errors.TryLater: the database did not answer
        """
