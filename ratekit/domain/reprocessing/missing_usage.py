"""Usage that was charged for and that a metering back end does not know any more."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from ratekit.domain import period
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.series import RatedSeries

_Labels = frozenset[tuple[str, str | None]]
_Names = frozenset[str]


def lost(
    stored: Iterable[FrameRow],
    collected: Iterable[RatedSeries],
    step: datetime.timedelta,
    asked: Collection[str],
) -> Mapping[datetime.datetime, str]:
    """Return the begins of periods that lack usage that was charged for, and what they lack.

    What is left of a resource or a metric that was deleted in the back end is just silence,
    and what is left of a label that was taken out of metrics.yml is usage that no rule knows.
    Usages are told apart by their ``groupby`` labels; where these have other names now, by
    as many as are the same.

    :param stored: what was charged for
    :param collected: what was collected for the same periods now
    :param step: length of the periods
    :param asked: public names of the metrics that were collected
    """
    known: dict[tuple[datetime.datetime, str], _Collected] = {}
    for one in collected:
        labels = frozenset(one.series.groupby.items())
        names = frozenset((*one.series.groupby, *one.series.metadata))
        for (begin, _), price in zip(one.series.points, one.prices, strict=True):
            place = begin, one.series.metric
            if place not in known:
                known[place] = _Collected()
            known[place].add(labels, _Usage(price, names))
    missing: dict[datetime.datetime, dict[str, str]] = {}
    for row in stored:
        begin = period.floor(row.begin, step)
        word = _missing(row, known.get((begin, row.metric)), asked)
        if word is not None:
            missing.setdefault(begin, {}).setdefault(row.metric, word)
    return {
        begin: f"not there any more: {', '.join(word for _, word in sorted(words.items()))}"
        for begin, words in missing.items()
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Usage:
    """What was collected.

    :ivar price: of all of it
    :ivar names: of all of its labels
    """

    price: Decimal
    names: _Names

    def __add__(self, other: _Usage) -> _Usage:
        return _Usage(EXACT.add(self.price, other.price), self.names | other.names)


_Usages = dict[_Labels, _Usage]


class _Collected:
    """What was collected of a metric in a period."""

    def __init__(self) -> None:
        self._usages: _Usages = {}
        self._names: set[_Names] = set()
        #: By the names of labels that tell them apart.
        self._alike: dict[_Names, _Usages] = {}

    def add(self, labels: _Labels, usage: _Usage) -> None:
        """Add what has these ``groupby`` labels."""
        _add(self._usages, labels, usage)

    def of(self, row: FrameRow) -> _Usage | None:
        """Return what is there of what was charged for; None: nothing."""
        labels = frozenset(row.groupby.items())
        exactly = self._usages.get(labels)
        if exactly is not None:
            return exactly
        own = frozenset(row.groupby)
        if not self._names:
            self._names = {frozenset(name for name, _ in one) for one in self._usages}
        most = max(len(own & names) for names in self._names)
        shared = {own & names for names in self._names if len(own & names) == most}
        found = (self._told_apart(one).get(_only(labels, one)) for one in shared)
        return functools.reduce(_sum, found, None)

    def _told_apart(self, names: _Names) -> _Usages:
        """Return the usages that have labels of these names, told apart by them."""
        if names not in self._alike:
            self._alike[names] = {}
            for labels, usage in self._usages.items():
                only = _only(labels, names)
                if len(only) == len(names):
                    _add(self._alike[names], only, usage)
        return self._alike[names]


def _add(usages: _Usages, labels: _Labels, usage: _Usage) -> None:
    before = usages.get(labels)
    usages[labels] = usage if before is None else before + usage


def _sum(one: _Usage | None, other: _Usage | None) -> _Usage | None:
    return one + other if one and other else one or other


def _only(labels: _Labels, names: _Names) -> _Labels:
    return frozenset(pair for pair in labels if pair[0] in names)


def _missing(row: FrameRow, now: _Collected | None, asked: Collection[str]) -> str | None:
    """Say what is missing of a usage that was charged for; None: it is there."""
    if row.metric not in asked:
        return f"{row.metric} (it is not in metrics.yml)"
    if now is None:
        return row.metric
    usage = now.of(row)
    if usage is None:
        words = (f"{name}={value}" for name, value in sorted(row.groupby.items()) if value)
        return f"{row.metric} of {' '.join(words)}"
    if usage.price > 0 or row.price <= 0:
        return None
    gone = sorted({*row.groupby, *row.metadata} - usage.names)
    if not gone:
        return None
    labels = f"label{'' if len(gone) == 1 else 's'} {' and '.join(gone)}"
    return f"{labels} of {row.metric}, without which it costs nothing"
