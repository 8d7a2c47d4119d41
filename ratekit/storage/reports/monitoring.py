"""The state of rating, over SQL."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.reporting.interruption import Interruption
from ratekit.domain.reporting.monitoring import (
    ExclusionGroup,
    MonitoringFacts,
    ProcessorRecord,
    SilentMetric,
)
from ratekit.domain.reporting.reports import FrameRow
from ratekit.interfaces import Monitoring
from ratekit.storage.db.dialects import is_zero
from ratekit.storage.db.engine import Database
from ratekit.storage.db.types import storable
from ratekit.storage.reports import interruptions
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import (
    DESCRIPTORS,
    EXCLUSIONS,
    FRAMES,
    PROCESSORS,
    SCOPES,
    STOPPED_USAGE,
    TOTALS,
)

#: A processor that has not reported for so long has died.
_FORGOTTEN_AFTER = datetime.timedelta(days=1)
#: Periods without usage in any scope after which a metric is silent. During a cycle some scopes
#: have been rated for one period less than others.
_SILENT_PERIODS = 2
_COLUMNS = tuple(field.name for field in dataclasses.fields(ProcessorRecord))


class SqlMonitoring(Monitoring):
    """Reads each report in one snapshot.

    :param database: at the newest revision
    :param scope_key: only scopes and processors of this key are reported
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key
        self._is_rated = (
            (SCOPES.c.scope_key == scope_key) & SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
        )

    def record(self, processor: ProcessorRecord) -> None:
        """Store a processor's report; only the processor itself writes its row."""
        values = dataclasses.asdict(processor)
        if processor.error is not None:
            values["error"] = storable(processor.error)
        of_key = PROCESSORS.c.scope_key == self._scope_key
        row = of_key & (PROCESSORS.c.name == processor.name)
        with self._database.writing() as connection:
            if connection.execute(PROCESSORS.update().where(row).values(values)).rowcount:
                return
            old = PROCESSORS.c.seen_at < processor.seen_at - _FORGOTTEN_AFTER
            connection.execute(PROCESSORS.delete().where(of_key & old))
            connection.execute(PROCESSORS.insert().values(scope_key=self._scope_key, **values))

    def remove(self, name: str) -> None:
        """Remove a processor."""
        table = PROCESSORS.c
        row = (table.scope_key == self._scope_key) & (table.name == name)
        with self._database.writing() as connection:
            connection.execute(PROCESSORS.delete().where(row))

    def processors(self) -> Sequence[ProcessorRecord]:
        """Return the reports of processors."""
        with self._database.reading() as connection:
            return self._processors(connection)

    def facts(self, newest: Window) -> MonitoringFacts:
        """Return the state of rating."""
        with self._database.reading() as connection:
            return MonitoringFacts(
                self._processors(connection),
                self._exclusions(connection),
                self._silent_metrics(connection, newest),
                self._free_usage(connection, newest.begin),
            )

    def interruptions(
        self, begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[Interruption]:
        """Return the interruptions of scopes that are rated."""
        with self._database.reading() as connection:
            return interruptions.read(connection, self._is_rated, begin, end)

    def free_frames(
        self, begin: datetime.datetime, metrics: Collection[str], limit: int
    ) -> Sequence[FrameRow]:
        """Return frames that have a quantity and no price."""
        query = self._select_free(begin, *selecting.FRAME_COLUMNS)
        query = query.where(DESCRIPTORS.c.metric.in_(sorted(metrics))).limit(limit)
        with self._database.reading() as connection:
            return list(selecting.frame_rows(connection.execute(query)))

    def _processors(self, connection: sa.Connection) -> list[ProcessorRecord]:
        query = sa.select(*(PROCESSORS.c[name] for name in _COLUMNS))
        rows = connection.execute(query.where(PROCESSORS.c.scope_key == self._scope_key))
        # Not in SQL, because databases differ in how they sort text.
        return sorted((ProcessorRecord(*row) for row in rows), key=lambda record: record.name)

    def _exclusions(self, connection: sa.Connection) -> list[ExclusionGroup]:
        table = EXCLUSIONS.c
        group = table.metric, table.reason, table.remedy
        query = (
            sa.select(
                *group,
                sa.func.count(),
                sa.func.count(table.scope_id.distinct()),
                sa.func.min(table.begin, type_=table.begin.type),
            )
            .join(SCOPES, SCOPES.c.id == table.scope_id)
            .where(self._is_rated & (table.end == SCOPES.c.rated_until))
            .group_by(*group)
        )
        groups = [ExclusionGroup(*row) for row in connection.execute(query)]
        return sorted(groups, key=lambda group: (group.metric, group.reason))

    def _silent_metrics(self, connection: sa.Connection, newest: Window) -> list[SilentMetric]:
        table = STOPPED_USAGE.c
        query = (
            sa.select(
                table.metric, sa.func.count(), sa.func.max(table.since, type_=table.since.type)
            )
            .join(SCOPES, SCOPES.c.id == table.scope_id)
            .where(self._is_rated)
            .group_by(table.metric)
        )
        candidates = [SilentMetric(*row) for row in connection.execute(query)]
        since = newest.end - _SILENT_PERIODS * newest.step
        usage = (
            sa.select(TOTALS.c.metric)
            .distinct()
            .join(SCOPES, SCOPES.c.id == TOTALS.c.scope_id)
            .where(self._is_rated & (TOTALS.c.begin >= since))
            .where(TOTALS.c.metric.in_([candidate.metric for candidate in candidates]))
        )
        metrics_in_use = set(connection.scalars(usage))
        silent = [metric for metric in candidates if metric.metric not in metrics_in_use]
        return sorted(silent, key=lambda metric: metric.metric)

    def _free_usage(self, connection: sa.Connection, begin: datetime.datetime) -> Mapping[str, int]:
        query = self._select_free(begin, DESCRIPTORS.c.metric, sa.func.count())
        rows = connection.execute(query.group_by(DESCRIPTORS.c.metric))
        return dict(sorted((metric, count) for metric, count in rows))

    def _select_free(
        self, begin: datetime.datetime, *columns: sa.ColumnElement[Any]
    ) -> sa.Select[Any]:
        return (
            sa.select(*columns)
            .select_from(FRAMES)
            .join(SCOPES, SCOPES.c.id == FRAMES.c.scope_id)
            .join(DESCRIPTORS, DESCRIPTORS.c.id == FRAMES.c.descriptor_id)
            .where(self._is_rated & (FRAMES.c.begin == begin))
            .where(is_zero(FRAMES.c.price) & ~is_zero(FRAMES.c.quantity))
        )
