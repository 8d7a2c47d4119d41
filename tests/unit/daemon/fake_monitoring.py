"""Keeps what processors report of themselves."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence

from ratekit.domain.period import Window
from ratekit.domain.reporting.interruption import Interruption
from ratekit.domain.reporting.monitoring import MonitoringFacts, ProcessorRecord
from ratekit.domain.reporting.reports import FrameRow
from ratekit.interfaces import Monitoring


class FakeMonitoring(Monitoring):
    """Keeps all reports, in order.

    :ivar failure: is raised in place of writing, unless it is None
    """

    def __init__(self) -> None:
        self.reports: list[ProcessorRecord] = []
        self.removed_names: list[str] = []
        self.failure: Exception | None = None

    def record(self, processor: ProcessorRecord) -> None:
        if self.failure is not None:
            raise self.failure
        self.reports.append(processor)

    def remove(self, name: str) -> None:
        self.removed_names.append(name)

    def processors(self) -> Sequence[ProcessorRecord]:
        if self.failure is not None:
            raise self.failure
        return list({report.name: report for report in self.reports}.values())

    def facts(self, newest: Window) -> MonitoringFacts:
        raise NotImplementedError

    def interruptions(
        self, begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[Interruption]:
        raise NotImplementedError

    def free_frames(
        self, begin: datetime.datetime, metrics: Collection[str], limit: int
    ) -> Sequence[FrameRow]:
        raise NotImplementedError
