"""One question a metric where that will do, and as few as possible where it will not."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from ratekit.collectors.gnocchi.completeness.exclusions import Exclusions
from ratekit.collectors.gnocchi.completeness.retention import Retention
from ratekit.collectors.gnocchi.completeness.routing import Wanted
from ratekit.collectors.gnocchi.warn_once import WarnOnce
from ratekit.domain import exact
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """A question and Gnocchi's groups."""

    question: AggregateQuery
    rows: list[Any]


class QueryRunner:
    """Gets the whole answer to a question, or none."""

    def __init__(self, client: Client, isolation: Exclusions, retention: Retention) -> None:
        self._client = client
        self._isolation = isolation
        self._retention = retention
        self._once = WarnOnce(LOG)
        self._heard: set[str] = set()

    def answers(self, metric: Metric, question: AggregateQuery, window: Window) -> list[Answered]:
        """Return the answers that together answer ``question``; no resource is in two of them.

        :param question: its granularity may be 0: what suits each archive policy
        :raises ratekit.errors.TryLater: no answer for now
        :raises ratekit.errors.OperatorError: Gnocchi cannot answer, or has forgotten
        """
        name = metric.public_name
        wanted = Wanted(
            metric=question.metric,
            resource_type=question.resource_type,
            scope_key=question.scope_key,
            method=question.aggregation_method,
            granularity=question.granularity,
            period=window.step,
        )
        try:
            try:
                found = self._ask(name, wanted, question)
            except AggregateMissing:
                if not self._isolation.refused(name, wanted):
                    raise
                found = self._ask(name, wanted, question)
        except AggregateMissing as error:
            raise errors.OperatorError(f"{name}: {error}") from error
        self._note_silence(metric, question, any(one.rows for one in found))
        for one in found:
            self._retention.require(name, one.question, window)
        return found

    def _ask(self, name: str, wanted: Wanted, question: AggregateQuery) -> list[Answered]:
        found = []
        for route in self._isolation.routes(name, wanted, question.scopes, question.start):
            share = dataclasses.replace(
                question, granularity=route.granularity, only=route.only, without=route.without
            )
            try:
                found.append(Answered(share, self._client.aggregates(share)))
            except (errors.AccessDenied, AggregateMissing):
                raise
            except errors.OperatorError as error:
                raise errors.OperatorError(f"{name}: {error}") from error
        return found

    def _note_silence(self, metric: Metric, question: AggregateQuery, heard: bool) -> None:
        if heard:
            self._heard.add(metric.public_name)
        elif metric.public_name not in self._heard:
            # A misspelt name looks just like a metric that nobody uses yet.
            self._once.warn(
                f"Gnocchi has no measures of {metric.name!r} on any resource of type "
                f"{question.resource_type!r} that was asked for so far: "
                f"{metric.public_name} is silent"
            )


def merged(parts: Iterable[Iterable[Series]]) -> Iterator[Series]:
    """Yield one series for each distinct set of labels of a metric's parts.

    Resources that are not told apart by their labels are one usage, whichever answer they
    were in, so they add up.
    """
    series: dict[tuple[object, ...], Series] = {}
    for part in parts:
        for one in part:
            key = (one.scope, tuple(one.groupby.items()), tuple(one.metadata.items()))
            series[key] = _sum(series[key], one) if key in series else one
    yield from series.values()


def _sum(one: Series, other: Series) -> Series:
    points = dict(one.points)
    for begin, quantity in other.points:
        points[begin] = exact.EXACT.add(points[begin], quantity) if begin in points else quantity
    return dataclasses.replace(one, points=sorted(points.items()))
