"""Lives in which something happens that random lives seldom have.

Records and measures are minutes after the start of the first rated hour.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.oracle.lives import UNIT, Era, Life
from tests.oracle.model import MINUTE, Resource, Revision

LONG_AGO = -400


class Record(NamedTuple):
    """A record; ``ended`` is the end that it carries.

    :ivar scope: number of one of the era's scopes
    """

    start: float
    scope: int = 0
    flavor: str = "small"
    ended: float | None = None


class Plot(NamedTuple):
    """A life in short.

    :ivar samples: (first, last, step): when it is measured, from first until before last
    :ivar restart: when its counter starts again
    """

    records: Sequence[Record]
    samples: Sequence[tuple[int, int, int]]
    restart: int | None = None
    started: float | None = None


PLOTS: Mapping[str, Plot] = {
    "moves by way of a third scope": Plot(
        [Record(LONG_AGO), Record(70, 1), Record(82.5, 2), Record(100)], [(-60, 400, 5)]
    ),
    "moves to a scope that is not rated, and back": Plot(
        [Record(LONG_AGO), Record(75, 3), Record(95)], [(-60, 400, 10)]
    ),
    "moves on the hour": Plot([Record(LONG_AGO), Record(120, 1)], [(-60, 400, 5)]),
    "moves and is resized in one bucket": Plot(
        [Record(LONG_AGO), Record(71, 1), Record(72, 1, "large"), Record(73.5, 0, "large")],
        [(-60, 400, 5)],
    ),
    "is recorded late, and moves soon": Plot(
        [Record(106), Record(107, 1), Record(140, 1, "large")], [(60, 400, 5)], started=60
    ),
    "is recorded hours late": Plot([Record(290)], [(60, 400, 5)], started=60),
    "ends, is measured once more": Plot(
        [Record(LONG_AGO), Record(111, ended=110)], [(-60, 110, 5), (111, 112, 5)]
    ),
    "ends, and grows until it is due": Plot(
        [Record(LONG_AGO), Record(111, ended=110)], [(-60, 400, 10)]
    ),
    "ends on the hour": Plot([Record(LONG_AGO), Record(121, ended=120)], [(-60, 135, 5)]),
    "is revived at once": Plot(
        [Record(LONG_AGO), Record(111, ended=110), Record(125)], [(-60, 400, 5)]
    ),
    "is revived late": Plot(
        [Record(LONG_AGO), Record(111, ended=110), Record(330)], [(-60, 400, 5)]
    ),
    "has its end recorded late": Plot([Record(LONG_AGO), Record(275, ended=110)], [(-60, 400, 5)]),
    "has its end corrected to a later hour": Plot(
        [Record(LONG_AGO), Record(111, ended=110), Record(185, ended=130)], [(-60, 200, 5)]
    ),
    "has its end corrected to an earlier hour": Plot(
        [Record(LONG_AGO), Record(131, ended=130), Record(135, ended=110)], [(-60, 200, 5)]
    ),
    "moves after its end": Plot(
        [Record(LONG_AGO), Record(111, ended=110), Record(125, 1, ended=110)], [(-60, 200, 5)]
    ),
    "restarts": Plot([Record(LONG_AGO)], [(-60, 400, 5)], restart=130),
    "restarts after a gap and a move": Plot(
        [Record(LONG_AGO), Record(150, 1)], [(-60, 30, 5), (200, 400, 5)], restart=200
    ),
    "is silent for three hours": Plot([Record(LONG_AGO)], [(-60, 20, 5), (200, 400, 5)]),
    "is silent for two days": Plot([Record(-3100)], [(-3000, -2950, 5), (80, 400, 5)]),
    "is silent for just a day": Plot([Record(-1500)], [(-1360, -1355, 5), (80, 400, 5)]),
    "is silent, and recorded late": Plot([Record(150)], [(10, 15, 5), (130, 400, 5)], started=0),
    "starts with its first value": Plot([Record(75)], [(75, 400, 5)]),
    "started long before its first value": Plot([Record(75)], [(75, 400, 5)], started=-300),
    "has one value": Plot([Record(75)], [(80, 81, 5)]),
    "is never measured": Plot([Record(75)], []),
}


def chosen_lives(era: Era, salt: str) -> Iterator[Life]:
    """Yield a life for each plot."""
    for name, plot in PLOTS.items():
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {salt}"))
        ends = [record.start for record in plot.records[1:]]
        started = plot.records[0].start if plot.started is None else plot.started
        revisions = tuple(
            _revision(id_, name, record, end, started, era)
            for record, end in zip(plot.records, [*ends, None], strict=True)
        )
        yield Life(Resource(id_, revisions), _measures(plot, era))


def _revision(
    id_: str, name: str, record: Record, end: float | None, started: float, era: Era
) -> Revision:
    scope = era.scopes[record.scope]
    attributes = {
        "id": id_,
        "project_id": scope,
        "user_id": f"user-of-{scope}",
        "flavor": record.flavor,
        "size": "1",
        "name": name,
    }
    return Revision(
        _instant(record.start, era),
        None if end is None else _instant(end, era),
        scope,
        attributes,
        _instant(started, era),
        None if record.ended is None else _instant(record.ended, era),
    )


def _measures(plot: Plot, era: Era) -> Mapping[str, Sequence[tuple[int, float]]]:
    """Return a gauge that changes, and a counter that grows faster and faster."""
    minutes = [minute for first, last, step in plot.samples for minute in range(first, last, step)]
    gauge, counter, value = [], [], 10**6
    for number, minute in enumerate(minutes):
        value = 5 if minute == plot.restart else value + number % 50
        gauge.append((_instant(minute, era), float(UNIT * (number % 7))))
        counter.append((_instant(minute, era), float(UNIT * value)))
    return {"gauge": gauge, "counter": counter} if minutes else {}


def _instant(minutes: float, era: Era) -> int:
    return era.begin + round(minutes * MINUTE)
