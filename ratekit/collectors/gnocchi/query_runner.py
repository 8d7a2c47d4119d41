"""Runs a query in one request where possible, and in as few as possible elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from ratekit.collectors.gnocchi.completeness.exclusions import Exclusions
from ratekit.collectors.gnocchi.completeness.retention import Retention
from ratekit.collectors.gnocchi.completion import Completion, Knowledge
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain.series import Series, add_points
from ratekit.domain.usage.metric import Metric


class QueryRunner:
    """Returns the complete response to a query, or raises."""

    def __init__(self, client: Client, exclusions: Exclusions, retention: Retention) -> None:
        self._client = client
        self._exclusions = exclusions
        self._retention = retention
        self._completion = Completion(client)

    def run(
        self, metric: Metric, query: AggregateQuery, names: Sequence[str], knowledge: Knowledge
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
                return self._ask(name, query, names, knowledge)
            except AggregateMissing:
                if not self._exclusions.find(name, query):
                    raise
                return self._ask(name, query, names, knowledge)
        except AggregateMissing as error:
            raise errors.OperatorError(f"{name}: {error}") from error

    def _ask(
        self, name: str, query: AggregateQuery, names: Sequence[str], knowledge: Knowledge
    ) -> list[AggregateResponse]:
        responses = []
        for part in self._exclusions.queries(name, query):
            try:
                response = AggregateResponse(self._client.aggregates(part), names, part)
                self._retention.require(name, part, knowledge.window)
                self._completion.complete(response, knowledge)
            except (errors.AccessDenied, errors.Expired, AggregateMissing):
                raise
            except errors.OperatorError as error:
                raise errors.OperatorError(f"{name}: {error}") from error
            responses.append(response)
        return responses


def merge_series(parts: Iterable[Iterable[Series]]) -> Iterator[Series]:
    """Yield one series for each distinct set of labels of a metric's parts.

    Resources with equal labels are one usage, so they add up, whichever response they are in.
    """
    by_labels: dict[tuple[object, ...], Series] = {}
    for part in parts:
        for series in part:
            key = (series.scope, tuple(series.groupby.items()), tuple(series.metadata.items()))
            by_labels[key] = add_points(by_labels[key], series) if key in by_labels else series
    yield from by_labels.values()
