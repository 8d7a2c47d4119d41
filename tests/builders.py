"""Values that many tests need, with defaults for all that a test is not about."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate

A = TypeVar("A")
R = TypeVar("R")

SECOND = datetime.timedelta(seconds=1)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
#: Start of a month.
MONTH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def metric(name: str = "cpu", **fields: Any) -> Metric:
    """Return a metric that stores what it collects; ``fields`` replace the defaults."""
    defaults = {
        "name": name,
        "public_name": name,
        "unit": "u",
        "factor": Fraction(1),
        "offset": Fraction(0),
        "groupby": (),
        "metadata": (),
        "mutate": Mutate.NONE,
        "extra_args": None,
    }
    return Metric(**{**defaults, **fields})


def series(
    *quantities: str | int | Decimal,
    scope: str = "a",
    metric: str = "cpu",
    begin: datetime.datetime = MONTH,
    groupby: Mapping[str, str | None] | None = None,
    metadata: Mapping[str, str | None] | None = None,
) -> Series:
    """Return a series of one quantity an hour from ``begin`` on.

    :param groupby: labels beside the scope's own, ``project_id``
    """
    points: Sequence[tuple[datetime.datetime, Decimal]] = [
        (begin + number * HOUR, Decimal(quantity)) for number, quantity in enumerate(quantities)
    ]
    labels = {"project_id": scope, **(groupby or {})}
    return Series(scope, metric, "u", labels, metadata or {}, points)


def call_in_turn(function: Callable[[A], R], arguments: Iterable[A]) -> list[R]:
    """Call ``function`` with each argument, one after another, without green threads."""
    return [function(argument) for argument in arguments]
