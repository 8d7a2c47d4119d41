"""The view of the storage by which operators see whether all is rated."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Collection, Sequence

from ratekit.domain.period import Window
from ratekit.domain.reporting.interruption import Interruption
from ratekit.domain.reporting.monitoring import MonitoringFacts, ProcessorRecord
from ratekit.domain.reporting.reports import FrameRow


class Monitoring(abc.ABC):
    """Stores what processors report of themselves, and reads the state of rating."""

    @abc.abstractmethod
    def record(self, processor: ProcessorRecord) -> None:
        """Store a processor's report in place of its last one.

        The first report of a processor removes those of others that are older than a day.

        :raises ratekit.errors.RatekitError: nothing was written
        """

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Remove a processor that ends.

        :raises ratekit.errors.RatekitError: nothing was written
        """

    @abc.abstractmethod
    def processors(self) -> Sequence[ProcessorRecord]:
        """Return the last reports of all processors, ordered by name.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def facts(self, newest: Window) -> MonitoringFacts:
        """Return the state of rating, by a constant number of statements.

        :param newest: the newest period that was rated for most scopes
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def interruptions(
        self, begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[Interruption]:
        """Return what keeps scopes from being charged in ``[begin, end)``, by scope, kind, metric.

        Of scopes that are rated. Usage that stopped and has come back is not found: only totals
        show it. It costs as many rows as there are exceptions, however many scopes there are.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def free_frames(
        self, begin: datetime.datetime, metrics: Collection[str], limit: int
    ) -> Sequence[FrameRow]:
        """Return frames with a quantity other than 0 and a price of 0, in no particular order.

        :param begin: of their period
        :param metrics: public names
        :param limit: maximum number of frames
        :raises ratekit.errors.TryLater: the database did not answer
        """
