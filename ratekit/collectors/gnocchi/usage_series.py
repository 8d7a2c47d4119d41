"""From a complete response to series."""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ratekit.collectors.gnocchi.plain_resource import PlainResource, Timeline
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain import exact
from ratekit.domain.series import Series, Shared, add_points
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.plain import BucketRow, plain_points, read_row
from ratekit.domain.usage.quantities import Resource, Usage, usages
from ratekit.domain.usage.reduction import Reduction
from ratekit.domain.usage.remarks import Remark
from ratekit.domain.usage.revision import Instant, Labels
from ratekit.domain.usage.trace import TraceStep, trace_usages


class Unstorable(NamedTuple):
    """A resource whose usage cannot be stored.

    :ivar scope: its last owner
    :ivar reason: one clause
    """

    id: str
    scope: str
    reason: str


class _Usage(NamedTuple):
    """One resource's usage under one set of labels."""

    points: dict[Instant, Decimal]
    shared: dict[Instant, Shared]


class UsageSeries:
    """Builds the series of a metric from one response.

    :param groupby: how many of the response's names are ``groupby``; the others are metadata
    :ivar remarks: notices about resources, by their ids; complete after :meth:`build`
    :ivar unstorable: resources that are left out; likewise
    """

    def __init__(
        self, response: AggregateResponse, metric: Metric, groupby: int, reduction: Reduction
    ) -> None:
        self._response = response
        self._metric = metric
        self._groupby = groupby
        self._reduction = reduction
        self._groupby_names = response.names[:groupby]
        self._metadata_names = response.names[groupby:]
        #: Records may be wanted as of old.
        records_until = reduction.records_until
        self._has_plain = records_until is None or records_until > response.query.start
        self._rows: dict[Timeline, BucketRow | None] = {}
        self.remarks: list[tuple[str, Remark]] = []
        self.unstorable: list[Unstorable] = []

    def build(self) -> list[Series]:
        """Return one series for each distinct set of labels."""
        by_labels: dict[Labels, Series] = {}
        special_cases: list[tuple[str, Resource]] = []
        for plain in self._response.plain_resources():
            points = self._plain_points(plain)
            if points is None:
                special_cases.append((plain.id, self._response.resource(plain)))
            elif points:
                self._add_series(by_labels, plain.record.labels, points, {})
        for id_, resource in itertools.chain(special_cases, self._response.other_resources()):
            for labels, usage in self._usage(id_, resource).items():
                self._add_series(by_labels, labels, list(usage.points.items()), usage.shared)
        return list(by_labels.values())

    def steps(self) -> Iterator[TraceStep]:
        """Yield how the quantities are computed, resource by resource.

        Slow: for the display of a few.
        """
        for id_, resource in sorted(self._response.resources(), key=operator.itemgetter(0)):
            for labels, trace in trace_usages(resource, self._reduction):
                if not self._response.is_foreign(id_, labels):
                    groupby, metadata = self._split_labels(labels)
                    yield TraceStep(self._response.scope(labels), groupby, metadata, trace)

    def _plain_points(self, plain: PlainResource) -> list[tuple[Instant, Decimal]] | None:
        """Return a plain resource's quantities; None: it has to be taken as the others are."""
        if not self._has_plain:
            return None
        timeline = plain.timeline
        if timeline not in self._rows:
            self._rows[timeline] = read_row(timeline.begins, self._reduction)
        row = self._rows[timeline]
        try:
            return None if row is None else plain_points(row, plain.values, self._reduction)
        except ArithmeticError:
            return None

    def _usage(self, id_: str, resource: Resource) -> dict[Labels, _Usage]:
        """Return a resource's usage by labels, without what cannot be stored."""
        response = self._response
        remarks: list[Remark] = []
        by_labels: dict[Labels, _Usage] = {}
        for labels, begin, quantity, shared in self._computable_usages(id_, resource, remarks):
            whole = quantity if shared is None else shared.whole
            if not (exact.is_storable(quantity) and exact.is_storable(whole)):
                self._leave_out(id_, resource, f"its quantity is {whole:.3e}")
                continue
            usage = by_labels.get(labels)
            if usage is None:
                if response.is_foreign(id_, labels):
                    continue
                usage = by_labels[labels] = _Usage({}, {})
            usage.points[begin] = quantity
            if shared is not None:
                usage.shared[begin] = shared
        if remarks:
            self.remarks += [(id_, remark) for remark in remarks]
        return by_labels

    def _computable_usages(
        self, id_: str, resource: Resource, remarks: list[Remark]
    ) -> list[Usage]:
        """Return the usages of all periods whose values are not too large for the arithmetic."""
        reduction = self._reduction
        try:
            return list(usages(resource, reduction, remarks))
        except ArithmeticError:
            remarks.clear()
        results: list[Usage] = []
        for period in dict.fromkeys(reduction.period_of.values()):
            buckets = {at: begin for at, begin in reduction.period_of.items() if begin == period}
            one_period = dataclasses.replace(reduction, period_of=buckets)
            try:
                results += usages(resource, one_period, remarks)
            except ArithmeticError as error:
                reason = f"its usage cannot be computed: {type(error).__name__}"
                self._leave_out(id_, resource, reason)
        return results

    def _leave_out(self, id_: str, resource: Resource, reason: str) -> None:
        for scope in {revision.scope or "" for revision in resource.revisions}:
            self.unstorable.append(Unstorable(id_, scope, reason))

    def _add_series(
        self,
        by_labels: dict[Labels, Series],
        labels: Labels,
        points: Sequence[tuple[Instant, Decimal]],
        shared: Mapping[Instant, Shared],
    ) -> None:
        groupby, metadata = self._split_labels(labels)
        metric = self._metric
        series = Series(
            self._response.scope(labels), metric.public_name, metric.unit, groupby, metadata,
            points, shared,
        )  # fmt: skip
        if labels in by_labels:
            # Resources with equal labels are one usage, so they add up.
            series = add_points(by_labels[labels], series)
        by_labels[labels] = series

    def _split_labels(
        self, labels: Labels
    ) -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
        # Names come first, so that labels beyond them are not read: 0.6 µs instead of 1.0.
        return (
            dict(zip(self._groupby_names, labels, strict=False)),
            dict(zip(self._metadata_names, labels[self._groupby :], strict=False)),
        )
