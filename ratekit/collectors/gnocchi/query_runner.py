"""Runs a query in one request where possible, and in as few as possible elsewhere."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from ratekit.collectors.gnocchi.completeness.exclusions import Exclusions
from ratekit.collectors.gnocchi.completeness.retention import Retention
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.collectors.gnocchi.warn_once import WarnOnce
from ratekit.domain import exact
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric

LOG = logging.getLogger(__name__)


class QueryRunner:
    """Returns the complete response to a query, or raises."""

    def __init__(self, client: Client, exclusions: Exclusions, retention: Retention) -> None:
        self._client = client
        self._exclusions = exclusions
        self._retention = retention
        self._warnings = WarnOnce(LOG)
        self._measured_names: set[str] = set()

    def run(
        self, metric: Metric, query: AggregateQuery, names: Sequence[str], window: Window
    ) -> list[AggregateResponse]:
        """Return the responses that together answer ``query``; no resource is in two of them.

        :param names: labels, in the order wanted
        :raises ratekit.errors.TryLater: Gnocchi did not respond, or the response is not valid
        :raises ratekit.errors.Expired: Gnocchi has expired a part of the aggregates
        :raises ratekit.errors.OperatorError: Gnocchi cannot answer
        """
        name = metric.public_name
        try:
            try:
                responses = self._ask(name, query, names)
            except AggregateMissing:
                if not self._exclusions.find(name, query):
                    raise
                responses = self._ask(name, query, names)
        except AggregateMissing as error:
            raise errors.OperatorError(f"{name}: {error}") from error
        self._warn_if_silent(metric, query, responses)
        for response in responses:
            self._retention.require(name, response.query, window)
        for response in responses:
            self._complete(metric, response)
        return responses

    def _ask(
        self, name: str, query: AggregateQuery, names: Sequence[str]
    ) -> list[AggregateResponse]:
        responses = []
        for part in self._exclusions.queries(name, query):
            try:
                rows = self._client.aggregates(part)
            except (errors.AccessDenied, AggregateMissing):
                raise
            except errors.OperatorError as error:
                raise errors.OperatorError(f"{name}: {error}") from error
            responses.append(AggregateResponse(rows, names, part))
        return responses

    def _complete(self, metric: Metric, response: AggregateResponse) -> None:
        """Add what the response itself does not say: older revisions, and ends of resources."""
        starts = response.uncertain_starts()
        if starts:
            # Rare: one more request, so that no scope pays for what another had before it.
            response.add_older_revisions(self._client.older_revisions(response.query, starts))
        if metric.prorate and not response.is_empty:
            response.add_ends(self._client.ends(response.query))

    def _warn_if_silent(
        self, metric: Metric, query: AggregateQuery, responses: Sequence[AggregateResponse]
    ) -> None:
        name = metric.public_name
        if not all(response.is_empty for response in responses):
            self._measured_names.add(name)
        elif name not in self._measured_names:
            # A misspelt name looks like a metric that no scope uses yet.
            self._warnings.warn(
                f"{name}: Gnocchi has returned no measures of {metric.name!r} on resources of type "
                f"{query.resource_type!r} so far; nothing is charged until it does"
            )


def merge_series(parts: Iterable[Iterable[Series]]) -> Iterator[Series]:
    """Yield one series for each distinct set of labels of a metric's parts.

    Resources with equal labels are one usage, so they add up, whichever response they are in.
    """
    by_labels: dict[tuple[object, ...], Series] = {}
    for part in parts:
        for series in part:
            key = (series.scope, tuple(series.groupby.items()), tuple(series.metadata.items()))
            by_labels[key] = _sum(by_labels[key], series) if key in by_labels else series
    yield from by_labels.values()


def _sum(augend: Series, addend: Series) -> Series:
    points = dict(augend.points)
    for begin, quantity in addend.points:
        points[begin] = exact.EXACT.add(points[begin], quantity) if begin in points else quantity
    return dataclasses.replace(augend, points=sorted(points.items()))
