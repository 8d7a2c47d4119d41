"""The collector: a question a metric, and what its answer amounts to."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Self

from gnocchiclient import auth
from gnocchiclient import client as gnocchi_client

from ratekit import errors, interfaces, keystone
from ratekit.collectors.gnocchi.answer import Answer
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.client import Client, Question
from ratekit.domain.metric import Metric
from ratekit.domain.period import Window
from ratekit.domain.reducers import REDUCERS
from ratekit.domain.revision import Reduction
from ratekit.domain.series import Series

LOG = logging.getLogger(__name__)
GROUP = "collector_gnocchi"

#: Attributes that every resource has, whatever its type.
_COMMON = frozenset(
    {
        "id", "type", "project_id", "user_id", "creator", "created_by_user_id",
        "created_by_project_id", "started_at", "ended_at", "original_resource_id",
        "revision_start", "revision_end",
    }
)  # fmt: skip
#: Seconds for which a resource type's attributes are believed; operators add some rarely.
_BELIEVED = 600.0


class GnocchiCollector(interfaces.Collector):
    """Asks for many scopes and periods at once, one request a metric.

    :param step: length of a period
    :param patience: how long after a period's end a resource's first revision may still
        begin for its measures to count
    """

    extra_args = GnocchiArgs

    def __init__(
        self, client: Client, scope_key: str, step: datetime.timedelta, patience: datetime.timedelta
    ) -> None:
        self._client = client
        self._scope_key = scope_key
        self._step = step
        self._patience = patience
        self._types: dict[str, tuple[float, frozenset[str] | None]] = {}
        self._said: set[str] = set()
        self._heard: set[str] = set()

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[collector_gnocchi]``; opens no connection.

        :raises ratekit.errors.OperatorError: the section does not say how to authenticate
        """
        step = datetime.timedelta(seconds=conf.collect.period)
        return cls(
            open_client(conf), conf.collect.scope_key, step, conf.collect.wait_periods * step
        )

    def refusals(self, metric: Metric) -> Mapping[str, str]:
        """Refuse a granularity that does not divide the period."""
        granularity = _args(metric).force_granularity
        period = self._step // datetime.timedelta(seconds=1)
        if period % granularity:
            return {
                "force_granularity": f"{granularity} does not divide the collect period, {period}"
            }
        return {}

    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        """Yield what ``scopes`` used; see :class:`ratekit.interfaces.Collector`."""
        args = _args(metric)
        attributes = self._attributes(metric, args.resource_type)
        if attributes is None:
            return
        groupby = tuple(dict.fromkeys((*metric.groupby, args.resource_key, self._scope_key)))
        metadata = tuple(name for name in metric.metadata if name not in groupby)
        names = groupby + metadata
        self._report_lacking(metric, args.resource_type, set(names) - attributes)
        present = [name for name in names if name in attributes]
        question = Question(
            metric=metric.name,
            aggregation_method=args.aggregation_method,
            resource_type=args.resource_type,
            scope_key=self._scope_key,
            scopes=scopes,
            groupby=sorted({*present, "id", "revision_start", "revision_end", "started_at"}),
            start=window.begin,
            # A resource created after its first measure is found only up to here.
            stop=window.end + self._patience,
            granularity=args.force_granularity,
        )
        answer = Answer(self._ask(metric, question), names, question)
        if answer.doubtful():
            # Rare: one more question, so that nobody pays for what another had before.
            answer.resolve(self._client.older_revisions(question, answer.doubtful()))
        how = _reduction(metric, args, window, self._patience)
        yield from answer.series(metric, len(groupby), how)

    def _ask(self, metric: Metric, question: Question) -> list[Any]:
        try:
            rows = self._client.aggregates(question)
        except errors.Denied:
            raise
        except errors.OperatorError as error:
            raise errors.OperatorError(f"{metric.public_name}: {error}") from error
        if rows:
            self._heard.add(metric.public_name)
        elif metric.public_name not in self._heard:
            # A misspelt name looks just like a metric that nobody uses yet.
            self._say_once(
                f"Gnocchi has no measures of {metric.name!r} on any resource of type "
                f"{question.resource_type!r} that was asked for so far: "
                f"{metric.public_name} is silent"
            )
        return rows

    def _attributes(self, metric: Metric, resource_type: str) -> frozenset[str] | None:
        believed_until, attributes = self._types.get(resource_type, (0.0, None))
        if attributes is None or time.monotonic() > believed_until:
            own = self._client.attributes(resource_type)
            attributes = None if own is None else own | _COMMON
            self._types[resource_type] = (time.monotonic() + _BELIEVED, attributes)
        if attributes is None:
            self._say_once(
                f"Gnocchi has no resource type {resource_type!r}: {metric.public_name} is silent"
            )
        return attributes

    def _report_lacking(self, metric: Metric, resource_type: str, lacking: set[str]) -> None:
        if self._scope_key in lacking or _args(metric).resource_key in lacking:
            raise errors.OperatorError(
                f"{metric.public_name}: Gnocchi's resource type {resource_type!r} has no "
                f"{' and no '.join(sorted(lacking))}"
            )
        for name in sorted(lacking):
            self._say_once(
                f"{metric.public_name}: Gnocchi's resource type {resource_type!r} has no "
                f"attribute {name!r}; the label stays empty"
            )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            LOG.warning("%s", text)


def open_client(conf: Any) -> Client:
    """Return a client with the settings of ``[collector_gnocchi]``; opens no connection.

    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[GROUP]
    if section.gnocchi_auth_type == "basic":
        if not section.gnocchi_endpoint or not section.gnocchi_user:
            raise errors.OperatorError(
                f"[{GROUP}] gnocchi_auth_type = basic needs gnocchi_endpoint and gnocchi_user"
            )
        basic = auth.GnocchiBasicPlugin(section.gnocchi_user, section.gnocchi_endpoint)
        opened = keystone.open_session(conf, GROUP, basic)
    else:
        opened = keystone.open_session(conf, GROUP)
    api = gnocchi_client.SessionClient(
        opened,
        service_type="metric",
        interface=section.interface,
        region_name=section.region_name,
        endpoint_override=section.gnocchi_endpoint,
        connect_retries=1,
    )
    return Client(api)


def _args(metric: Metric) -> GnocchiArgs:
    if not isinstance(metric.extra_args, GnocchiArgs):
        raise TypeError(f"{metric.name} was not read for Gnocchi")
    return metric.extra_args


def _reduction(
    metric: Metric, args: GnocchiArgs, window: Window, patience: datetime.timedelta
) -> Reduction:
    granularity = datetime.timedelta(seconds=args.force_granularity)
    buckets = window.step // granularity
    return Reduction(
        period_of={
            begin + index * granularity: begin
            for begin in window.begins()
            for index in range(buckets)
        },
        step=window.step,
        granularity=granularity,
        patience=patience,
        reducer=REDUCERS[args.reducer],
        quantity=metric.quantity,
        split=args.use_all_resource_revisions,
    )
