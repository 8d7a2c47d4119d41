"""Usage that was charged for and that a metering back end does not know any more."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping

from ratekit.domain import period
from ratekit.domain.reports import FrameRow
from ratekit.domain.series import RatedSeries

_Labels = frozenset[tuple[str, str | None]]
_Place = tuple[datetime.datetime, str]


def lost(
    stored: Iterable[FrameRow],
    collected: Iterable[RatedSeries],
    step: datetime.timedelta,
    asked: Collection[str],
) -> Mapping[datetime.datetime, str]:
    """Return the begins of periods that lack usage that was charged for, and what they lack.

    What is left of a resource or a metric that was deleted in the back end is just silence.
    Usages are told apart by their ``groupby`` labels; where these have other names now, by
    their metric only.

    :param stored: what was charged for
    :param collected: what was collected for the same periods now
    :param step: length of the periods
    :param asked: public names of the metrics that were collected
    """
    known: dict[_Place, set[_Labels]] = {}
    for one in collected:
        labels = frozenset(one.series.groupby.items())
        for begin, _ in one.series.points:
            known.setdefault((begin, one.series.metric), set()).add(labels)
    missing: dict[datetime.datetime, dict[str, str]] = {}
    for row in stored:
        begin = period.floor(row.begin, step)
        word = _missing(row, known.get((begin, row.metric), set()), asked)
        if word is not None:
            missing.setdefault(begin, {}).setdefault(row.metric, word)
    return {
        begin: f"not there any more: {', '.join(word for _, word in sorted(words.items()))}"
        for begin, words in missing.items()
    }


def _missing(row: FrameRow, now: Collection[_Labels], asked: Collection[str]) -> str | None:
    """Say what is missing of a usage that was charged for; None: it is there."""
    if row.metric not in asked:
        return f"{row.metric} (it is not in metrics.yml)"
    if not now:
        return row.metric
    if frozenset(row.groupby.items()) in now:
        return None
    names = {frozenset(name for name, _ in labels) for labels in now}
    if frozenset(row.groupby) not in names:
        return None
    words = (f"{name}={value}" for name, value in sorted(row.groupby.items()) if value)
    return f"{row.metric} of {' '.join(words)}"
