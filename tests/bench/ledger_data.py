"""Rated usage made up, for the parts that need no collector."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal

from ratekit.domain.period import Window
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import RatedBatch, Storage

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
METRICS = ("cpu", "instance", "volume.size")


def build_scopes(count: int) -> list[Scope]:
    """Return so many scopes."""
    return [Scope(f"{number:032x}", f"project {number}") for number in range(count)]


def observe(storage: Storage, scopes: Sequence[Scope]) -> list[State]:
    """Return the states of scopes that start at :data:`BEGIN`."""
    return list(storage.ledger.observe(scopes, BEGIN, BEGIN, BEGIN).states)


def build_batch(
    states: Sequence[State], periods: int, numbers: range, rules_version: int = 0
) -> RatedBatch:
    """Return a batch over the next window of ``states``.

    :param numbers: of the resources that each scope uses of each metric
    :param rules_version: of the rules in the database; 0: there are none
    """
    window = Window(states[0].rated_until, HOUR, periods)
    series = list(_usage(states, window, numbers))
    return RatedBatch(window, states, series, rules_version, METRICS)


def commit(storage: Storage, batch: RatedBatch) -> None:
    """Commit a batch of scopes that nothing else rates."""
    result = storage.ledger.commit(batch)
    if result.lost_scopes:
        raise RuntimeError("another process has rated the scopes")


def _usage(states: Sequence[State], window: Window, numbers: range) -> Iterator[RatedSeries]:
    """Yield series with typical labels of instances; no two have the same quantities."""
    begins = list(window.begins())
    for index, state in enumerate(states):
        for metric in METRICS:
            for number in numbers:
                quantity = Decimal(1 + index * 1_000 + number).scaleb(-3)
                price = quantity * Decimal("0.0200000000000000000000001")
                series = Series(
                    scope=state.scope.id,
                    metric=metric,
                    unit="unit",
                    groupby={
                        "project_id": state.scope.id,
                        "id": str(uuid.UUID(int=number)),
                        "user_id": f"{number:032x}",
                    },
                    metadata={
                        "flavor_name": f"m1.{number % 7}",
                        "flavor_id": str(number % 7),
                        "host": f"compute-{number % 20}",
                        "image_ref": None,
                    },
                    points=[(begin, quantity + hour) for hour, begin in enumerate(begins)],
                )
                yield RatedSeries(series, [price + hour for hour in range(len(begins))])
