"""The collector: one query a metric, and the usage in its response."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Self

from ratekit import errors, interfaces
from ratekit.collectors.gnocchi import options, ttl_cache
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.api.connect import offline_client, open_client
from ratekit.collectors.gnocchi.args import GnocchiArgs, contradictions
from ratekit.collectors.gnocchi.completeness.backlog import Backlog
from ratekit.collectors.gnocchi.completeness.exclusions import Exclusions
from ratekit.collectors.gnocchi.completeness.policies import Policies
from ratekit.collectors.gnocchi.completeness.retention import Retention
from ratekit.collectors.gnocchi.completeness.unstorable import UnstorableUsage
from ratekit.collectors.gnocchi.completion import Knowledge
from ratekit.collectors.gnocchi.diagnostics import Inspection, findings
from ratekit.collectors.gnocchi.query_runner import QueryRunner, merge_series
from ratekit.collectors.gnocchi.reduction import build_counter, build_reduction, first_bucket
from ratekit.collectors.gnocchi.remark_log import RemarkLog
from ratekit.collectors.gnocchi.resource_types import Attributes
from ratekit.collectors.gnocchi.usage_series import UsageSeries
from ratekit.collectors.gnocchi.warn_once import WarnOnce
from ratekit.domain.period import EPOCH, Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.findings import Finding
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.resource_part import ALL, ResourcePart
from ratekit.domain.usage.trace import TraceStep

LOG = logging.getLogger(__name__)


class GnocchiCollector(interfaces.Collector):
    """Reads the usage of many scopes and periods at once, with one request a metric.

    :param step: length of a period
    :param patience: how long after its end a period becomes due; records that were made by then
        count for it
    """

    extra_args = GnocchiArgs

    def __init__(
        self,
        client: Client,
        scope_key: str,
        step: datetime.timedelta,
        patience: datetime.timedelta,
        *,
        allow_expired: bool = False,
        max_backlog: int | None = None,
        max_backlog_wait: datetime.timedelta = datetime.timedelta(hours=1),
        clock: ttl_cache.Clock = ttl_cache.now,
    ) -> None:
        self._client = client
        self._scope_key = scope_key
        self._step = step
        self._patience = patience
        self._clock = clock
        self._warnings = WarnOnce(LOG)
        self._remarks = RemarkLog(LOG)
        self._unstorable = UnstorableUsage(LOG)
        self._attributes = Attributes(client, clock)
        self._backlog = Backlog(client, max_backlog, max_backlog_wait, clock)
        policies = Policies(client, clock)
        self._exclusions = Exclusions(client, policies, clock)
        retention = Retention(client, policies, patience, clock, allow_expired)
        self._runner = QueryRunner(client, self._exclusions, retention)

    @classmethod
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return the options of ``[collector_gnocchi]``."""
        return {options.GROUP: options.list_opts()}

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Yield mistakes; see :class:`ratekit.interfaces.ConfCheck`."""
        return options.check(conf)

    @classmethod
    def credential_sections(cls, conf: Any) -> Sequence[str]:
        """Return ``[collector_gnocchi]`` if ratekit authenticates to Keystone."""
        return options.credential_sections(conf)

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[collector_gnocchi]``; opens no connection.

        :raises ratekit.errors.OperatorError: the section does not say how to authenticate
        """
        return cls._with_client(conf, open_client(conf))

    @classmethod
    def offline(cls, conf: Any) -> Self:
        """Build a collector that cannot reach Gnocchi, so needs no credentials."""
        return cls._with_client(conf, offline_client(conf))

    @classmethod
    def _with_client(cls, conf: Any, client: Client) -> Self:
        step = datetime.timedelta(seconds=conf.collect.period)
        section = conf[options.GROUP]
        return cls(
            client,
            conf.collect.scope_key,
            step,
            max(conf.collect.wait_periods - 1, 0) * step,
            max_backlog=section.max_backlog,
            max_backlog_wait=datetime.timedelta(seconds=section.max_backlog_wait),
            allow_expired=conf.collect.allow_expired,
        )

    def validate(self, metric: Metric) -> Mapping[str, str]:
        """Return settings that contradict each other or the collect period."""
        args = _args(metric)
        mistakes = dict(contradictions(args, metric.name, metric.prorate))
        granularity, period = args.force_granularity, self._step // datetime.timedelta(seconds=1)
        if granularity and period % granularity:
            mistakes["force_granularity"] = (
                f"{granularity} does not divide the collect period, {period}"
            )
        return mistakes

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        """Yield what ``scopes`` used; see :class:`ratekit.interfaces.Collector`."""
        return self.collect_part(metric, window, scopes, records_until, ALL)

    def collect_part(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None,
        part: ResourcePart,
    ) -> Iterator[Series]:
        """Yield what a part used; see :class:`ratekit.interfaces.DivisibleUsage`."""
        parts, unstorable = [], []
        for series in self._usage_series(metric, window, scopes, records_until, part):
            parts.append(series.build())
            unstorable += series.unstorable
            self._remarks.log(metric.public_name, series.remarks, _args(metric).counter_gap)
        self._unstorable.replace(metric, window, unstorable)
        yield from parts[0] if len(parts) == 1 else merge_series(parts)

    def trace(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[TraceStep]:
        """Yield one step for each resource, period and set of labels; see the interface."""
        for series in self._usage_series(metric, window, scopes, records_until, ALL):
            yield from series.steps()

    def labels_tell_resources(self, metric: Metric) -> bool:
        """Return whether the resource's id is a label."""
        groupby, metadata = self._labels(metric, _args(metric))
        return "id" in groupby or "id" in metadata

    def take_response_share(self) -> float:
        """Return the largest response's share of the limit; see the interface."""
        return self._client.take_response_share()

    def _usage_series(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None,
        part: ResourcePart,
    ) -> Iterator[UsageSeries]:
        args = _args(metric)
        attributes = self._attributes.of(args.resource_type)
        if attributes is None:
            self._warnings.warn(
                f"{metric.public_name}: Gnocchi has no resource type {args.resource_type!r}; "
                "nothing is charged"
            )
            return
        groupby, metadata = self._labels(metric, args)
        names = groupby + metadata
        self._check_labels(metric, args, set(names) - attributes)
        required = {"id", "revision_start", "revision_end", "started_at", "ended_at"}
        query = dataclasses.replace(
            self._query(metric, window.step, scopes),
            groupby=sorted(required | (attributes & set(names))),
            start=first_bucket(args.aggregation(metric.name), window),
            # A resource that was recorded after its first measure is found only up to here.
            stop=window.end + self._patience,
            part=part,
        )
        counter = build_counter(args, args.aggregation(metric.name))
        until = query.stop if records_until is None else max(records_until, query.stop)
        knowledge = Knowledge(until, counter, window)
        for response in self._runner.run(metric, query, names, knowledge):
            granularity = response.query.granularity
            reduction = build_reduction(
                metric, args, window, self._patience, granularity, records_until
            )
            yield UsageSeries(response, metric, len(groupby), reduction)

    def read_clock(self) -> ClockReading | None:
        """Return the reading of Gnocchi's clock; see :class:`ratekit.interfaces.ClockSource`."""
        return self._client.read_clock()

    def not_ready(self) -> str | None:
        """Return why rating should wait for metricd; see :class:`ratekit.interfaces.Readiness`."""
        return self._backlog.not_ready()

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return resources whose archive policies do not fit; see the interface."""
        query = self._query(metric, window.step, scopes)
        return [
            *self._exclusions.exclusions(metric.public_name, query, window.begin),
            *self._unstorable.exclusions(metric, window, scopes),
        ]

    def describe(self, metric: Metric) -> Mapping[str, str]:
        """Return what is read from Gnocchi, with defaults and custom queries resolved."""
        args = _args(metric)
        aggregation = args.aggregation(metric.name)
        granularity = args.force_granularity
        return {
            **({} if aggregation.metric == metric.name else {"metric": aggregation.metric}),
            "resource_type": args.resource_type,
            "aggregation_method": aggregation.aggregation_method,
            "re_aggregation_method": aggregation.re_aggregation_method,
            "granularity": f"{granularity} s" if granularity else "largest that fits",
        }

    def inspect(self, metric: Metric) -> Sequence[Finding]:
        """Return findings on what Gnocchi has of ``metric``.

        :raises ratekit.errors.TryLater: Gnocchi did not respond
        :raises ratekit.errors.OperatorError: Gnocchi refused
        """
        args = _args(metric)
        groupby, metadata = self._labels(metric, args)
        required = {self._scope_key, args.resource_key}
        counter = build_counter(args, args.aggregation(metric.name))
        query = self._query(metric, self._step)
        inspection = Inspection(self._client, query, self._clock(), counter)
        return list(findings(inspection, {*groupby, *metadata}, required, metric.prorate))

    def _query(
        self, metric: Metric, period: datetime.timedelta, scopes: Collection[str] = ()
    ) -> AggregateQuery:
        """Return the query of a metric, without labels and of no time.

        :param period: may differ from today's collect period, for windows of the past
        """
        args = _args(metric)
        aggregation = args.aggregation(metric.name)
        return AggregateQuery(
            metric=aggregation.metric,
            aggregation_method=aggregation.aggregation_method,
            resource_type=args.resource_type,
            scope_key=self._scope_key,
            scopes=scopes,
            groupby=(),
            start=EPOCH,
            stop=EPOCH,
            granularity=args.force_granularity,
            period=period,
        )

    def _labels(self, metric: Metric, args: GnocchiArgs) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of the labels that distinguish usages, and of the others."""
        groupby = tuple(dict.fromkeys((*metric.groupby, args.resource_key, self._scope_key)))
        return groupby, tuple(name for name in metric.metadata if name not in groupby)

    def _check_labels(self, metric: Metric, args: GnocchiArgs, absent: set[str]) -> None:
        """Warn of labels that the resource type has no attribute for; raise if one is required."""
        names = sorted(absent)
        if self._scope_key in absent or args.resource_key in absent:
            raise errors.OperatorError(
                f"{metric.public_name}: Gnocchi's resource type {args.resource_type!r} has no "
                f"attribute {' and no attribute '.join(map(repr, names))}"
            )
        for name in names:
            self._warnings.warn(
                f"{metric.public_name}: Gnocchi's resource type {args.resource_type!r} has no "
                f"attribute {name!r}; the label stays empty"
            )


def _args(metric: Metric) -> GnocchiArgs:
    if not isinstance(metric.extra_args, GnocchiArgs):
        raise TypeError(f"{metric.name} has no extra_args of the Gnocchi collector")
    return metric.extra_args
