"""Short words for cases whose numbers are computed by hand.

Instants are minutes after the start of the rated hour, which may be negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.definition import Definition
from tests.oracle.model import HOUR, MINUTE, FrameKey, Resource, Revision
from tests.oracle.quantities import frames_of
from tests.oracle.rating_time import RatingTime

HOUR_ZERO = 1000 * HOUR
#: Numbers by "<scope> <flavor>": a quantity, or a quantity with whole and share.
Numbers = Mapping[str, str]


def record(
    start: float,
    scope: str = "a",
    flavor: str = "s",
    ended: float | None = None,
    started: float | None = None,
) -> tuple[int, str, str, int | None, int | None]:
    """Return a record of a resource; ``started`` is by default the start of the first record."""
    return (
        _instant(start),
        scope,
        flavor,
        None if ended is None else _instant(ended),
        None if started is None else _instant(started),
    )


def resource(*records: tuple[int, str, str, int | None, int | None]) -> Resource:
    """Return a resource with contiguous records."""
    ends = [start for start, *_ in records[1:]]
    revisions = [
        Revision(
            start,
            end,
            scope,
            {"id": "r", "project_id": scope, "flavor": flavor},
            records[0][0] if started is None else started,
            ended,
        )
        for (start, scope, flavor, ended, started), end in zip(records, [*ends, None], strict=True)
    ]
    return Resource("r", tuple(revisions))


def metric(name: str = "m", **entry: Any) -> Definition:
    """Return a definition with the labels flavor and project_id; other keys are ``extra_args``."""
    args = {"force_granularity": 300, **entry}
    conversion: dict[str, Any] = {
        key: args.pop(key) for key in ("factor", "offset", "mutate", "prorate") if key in args
    }
    return Definition.read(
        name,
        {"groupby": ["id", "project_id"], "metadata": ["flavor"], **conversion, "extra_args": args},
    )


def every(step: int, first: int, last: int, value: float) -> dict[int, float]:
    """Return the same value in buckets every ``step`` minutes in ``[first, last)``."""
    return dict.fromkeys(range(first, last, step), value)


def numbers(
    life: Resource,
    definition: Definition,
    measures: Mapping[int, float],
    hour: int = 0,
    wait: int = 1,
    now: float | None = None,
) -> dict[str, str]:
    """Return what an hour gives, hours counted from the rated one.

    :param now: when it is collected again; None: live
    """
    time = RatingTime(wait, None if now is None else _instant(now))
    buckets = {_instant(at): Fraction(value) for at, value in measures.items()}
    frames = frames_of(life, definition, buckets, [HOUR_ZERO + hour * HOUR], time)
    return {
        f"{key.scope} {_flavor(key)}": " of ".join(
            _text(number) for number in frame if number is not None
        )
        for key, frame in frames.items()
    }


def _instant(minutes: float) -> int:
    return HOUR_ZERO + round(minutes * MINUTE)


def _flavor(key: FrameKey) -> str | None:
    return dict(key.labels)["flavor"]


def _text(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
