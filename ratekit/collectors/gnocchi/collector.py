"""The collector: a question a metric, and what its answer amounts to."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Self

from ratekit import errors, interfaces
from ratekit.collectors.gnocchi import options, ttl_cache
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.api.connect import closed_client, open_client
from ratekit.collectors.gnocchi.args import GnocchiArgs, contradictions
from ratekit.collectors.gnocchi.completeness.backlog import Backlog
from ratekit.collectors.gnocchi.completeness.exclusions import Exclusions, Policies
from ratekit.collectors.gnocchi.completeness.retention import Retention
from ratekit.collectors.gnocchi.completeness.routing import Wanted
from ratekit.collectors.gnocchi.diagnostics import Inspection, findings
from ratekit.collectors.gnocchi.query_runner import QueryRunner, merged
from ratekit.collectors.gnocchi.reduction import first_bucket, reduction
from ratekit.collectors.gnocchi.resource_types import Attributes
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.collectors.gnocchi.warn_once import WarnOnce
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.findings import Finding
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.quantities import Reduction
from ratekit.domain.usage.trace import TraceStep

LOG = logging.getLogger(__name__)


class GnocchiCollector(interfaces.Collector):
    """Asks for many scopes and periods at once, one request a metric.

    :param step: length of a period
    :param patience: how long after a period's end a resource's first revision may still
        begin for its measures to count
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
        self._once = WarnOnce(LOG)
        self._attributes = Attributes(client, clock)
        self._backlog = Backlog(client.index, max_backlog, max_backlog_wait, clock)
        policies = Policies(
            lambda: {policy.name: policy for policy in client.index.archive_policies()}, clock
        )
        self._isolation = Exclusions(client.index, policies, clock)
        retention = Retention(client.index, policies, patience, clock, allow_expired)
        self._inquiry = QueryRunner(client, self._isolation, retention)

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
        return cls._made(conf, open_client(conf))

    @classmethod
    def offline(cls, conf: Any) -> Self:
        """Build what cannot ask Gnocchi, and needs no credentials therefore."""
        return cls._made(conf, closed_client(conf))

    @classmethod
    def _made(cls, conf: Any, client: Client) -> Self:
        step = datetime.timedelta(seconds=conf.collect.period)
        section = conf[options.GROUP]
        return cls(
            client,
            conf.collect.scope_key,
            step,
            conf.collect.wait_periods * step,
            max_backlog=section.max_backlog,
            max_backlog_wait=datetime.timedelta(seconds=section.max_backlog_wait),
            allow_expired=conf.collect.allow_expired,
        )

    def validate(self, metric: Metric) -> Mapping[str, str]:
        """Refuse what does not go together, and a granularity that does not divide the period."""
        args = _args(metric)
        refusals = dict(contradictions(args, metric.name, metric.prorate))
        granularity, period = args.force_granularity, self._step // datetime.timedelta(seconds=1)
        if granularity and period % granularity:
            refusals["force_granularity"] = (
                f"{granularity} does not divide the collect period, {period}"
            )
        return refusals

    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        """Yield what ``scopes`` used; see :class:`ratekit.interfaces.Collector`."""
        parts = [
            answer.series(metric, groupby, how)
            for answer, groupby, how in self._answers(metric, window, scopes)
        ]
        yield from parts[0] if len(parts) == 1 else merged(parts)

    def trace(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[TraceStep]:
        """Yield one step a resource, period and set of labels; see the interface."""
        for answer, groupby, how in self._answers(metric, window, scopes):
            yield from answer.steps(groupby, how)

    def _answers(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Iterator[tuple[AggregateResponse, int, Reduction]]:
        """Yield (answer, how many of its names are ``groupby``, the arithmetic)."""
        args = _args(metric)
        attributes = self._attributes.of(args.resource_type)
        if attributes is None:
            self._once.warn(
                f"Gnocchi has no resource type {args.resource_type!r}: "
                f"{metric.public_name} is silent"
            )
            return
        groupby, metadata = self._labels(metric, args)
        names = groupby + metadata
        self._report_lacking(metric, args.resource_type, set(names) - attributes)
        present = [name for name in names if name in attributes]
        query = args.query(metric.name)
        also = {"id", "revision_start", "revision_end", "started_at"}
        question = AggregateQuery(
            metric=query.metric,
            aggregation_method=query.aggregation_method,
            resource_type=args.resource_type,
            scope_key=self._scope_key,
            scopes=scopes,
            groupby=sorted({*present, *also, *({"ended_at"} if metric.prorate else ())}),
            start=first_bucket(query, window),
            # A resource created after its first measure is found only up to here.
            stop=window.end + self._patience,
            granularity=args.force_granularity,
        )
        for answered in self._inquiry.answers(metric, question, window):
            answer = AggregateResponse(answered.rows, names, answered.question)
            if answer.doubtful():
                # Rare: one more question, so that nobody pays for what another had before.
                older = self._client.older_revisions(answered.question, answer.doubtful())
                answer.resolve(older)
            if metric.prorate and answered.rows:
                answer.note(self._client.ends(answered.question))
            how = reduction(metric, args, window, self._patience, answered.question.granularity)
            yield answer, len(groupby), how

    def not_ready(self) -> str | None:
        """Wait for metricd; see :class:`ratekit.interfaces.Collector`."""
        return self._backlog.not_ready()

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return resources whose archive policies are at fault; see the interface."""
        wanted = self._wanted(metric)
        return self._isolation.exclusions(metric.public_name, wanted, scopes, window.begin)

    def describe(self, metric: Metric) -> Mapping[str, str]:
        """Return what is asked of Gnocchi, defaults and custom queries resolved."""
        args = _args(metric)
        query = args.query(metric.name)
        granularity = args.force_granularity
        return {
            **({} if query.metric == metric.name else {"metric": query.metric}),
            "resource_type": args.resource_type,
            "aggregation_method": query.aggregation_method,
            "re_aggregation_method": query.re_aggregation_method,
            "granularity": f"{granularity} s" if granularity else "largest that fits",
        }

    def inspect(self, metric: Metric) -> Sequence[Finding]:
        """Return what Gnocchi has of ``metric``, and what of it is not as it should be.

        :raises ratekit.errors.TryLater: Gnocchi did not answer
        :raises ratekit.errors.OperatorError: it refused
        """
        args = _args(metric)
        groupby, metadata = self._labels(metric, args)
        required = {self._scope_key, args.resource_key}
        inspection = Inspection(self._client, self._wanted(metric), self._clock())
        return list(findings(inspection, {*groupby, *metadata}, required, metric.prorate))

    def _wanted(self, metric: Metric) -> Wanted:
        args = _args(metric)
        query = args.query(metric.name)
        return Wanted(
            query.metric, args.resource_type, self._scope_key, query.aggregation_method,
            args.force_granularity, self._step,
        )  # fmt: skip

    def _labels(self, metric: Metric, args: GnocchiArgs) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the labels that tell usages apart, and of the others."""
        groupby = tuple(dict.fromkeys((*metric.groupby, args.resource_key, self._scope_key)))
        return groupby, tuple(name for name in metric.metadata if name not in groupby)

    def _report_lacking(self, metric: Metric, resource_type: str, lacking: set[str]) -> None:
        if self._scope_key in lacking or _args(metric).resource_key in lacking:
            raise errors.OperatorError(
                f"{metric.public_name}: Gnocchi's resource type {resource_type!r} has no "
                f"{' and no '.join(sorted(lacking))}"
            )
        for name in sorted(lacking):
            self._once.warn(
                f"{metric.public_name}: Gnocchi's resource type {resource_type!r} has no "
                f"attribute {name!r}; the label stays empty"
            )


def _args(metric: Metric) -> GnocchiArgs:
    if not isinstance(metric.extra_args, GnocchiArgs):
        raise TypeError(f"{metric.name} was not read for Gnocchi")
    return metric.extra_args
