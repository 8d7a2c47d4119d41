"""How much usage scopes have, and how much memory it takes."""

from __future__ import annotations

import dataclasses

#: Points whose memory a series takes besides that of its own points: about 3 KiB and 0.4 KiB.
_SERIES_WEIGHT = 8


def weigh(series: float, points: float) -> float:
    """Return how much memory usage takes, in points.

    :param series: number of series
    :param points: number of points of all of them
    """
    return _SERIES_WEIGHT * series + points


@dataclasses.dataclass(frozen=True, slots=True)
class Density:
    """Usage of one scope.

    :ivar series: of a window, whatever its length
    :ivar points: of one period
    """

    series: float = 0.0
    points: float = 0.0

    def weight(self, periods: int) -> float:
        """Return the weight of one scope over some periods; see :func:`weigh`."""
        return weigh(self.series, self.points * periods)

    def max(self, density: Density) -> Density:
        """Return the higher of both."""
        return Density(max(self.series, density.series), max(self.points, density.points))
