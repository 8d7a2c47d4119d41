"""Cuts the series of a batch into slices, of which only one is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ratekit.domain.schedule.density import weigh
from ratekit.domain.series import RatedSeries

#: Weight of a slice: 20,000 series of one period, 5,600 of a day of hours. A batch of the default
#: [orchestrator] batch_frames is one slice.
SLICE = 180_000


def slices(rated_series: Iterable[RatedSeries]) -> Iterator[list[RatedSeries]]:
    """Yield all series, in order; a list is emptied when the next one is taken."""
    part: list[RatedSeries] = []
    weight, of_series = 0.0, weigh(1, 0)
    for rated in rated_series:
        part.append(rated)
        weight += of_series + len(rated.prices)
        if weight >= SLICE:
            # The caller's variable still refers to the list while the next one is read.
            yield part
            part.clear()
            weight = 0.0
            del rated
    if part:
        yield part
