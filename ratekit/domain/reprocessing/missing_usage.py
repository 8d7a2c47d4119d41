"""Charged usage that a metering back end no longer has."""

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
_LabelNames = frozenset[str]


def find_missing_usage(
    stored: Iterable[FrameRow],
    collected: Iterable[RatedSeries],
    step: datetime.timedelta,
    metrics: Collection[str],
) -> Mapping[datetime.datetime, str]:
    """Return the start of each period that lacks charged usage, and what it lacks.

    A back end does not report that a resource or a metric was deleted: it returns no usage. If
    a label was removed from metrics.yml, the usage comes back, but no rule matches it.
    Usages are identified by their ``groupby`` labels; if the names of these have changed, by as
    many as are the same.

    :param stored: what was charged
    :param collected: what was collected for the same periods now
    :param step: length of the periods
    :param metrics: public names of the metrics that were collected
    """
    usages: dict[tuple[datetime.datetime, str], _MetricUsage] = {}
    for rated in collected:
        labels = frozenset(rated.series.groupby.items())
        names = frozenset((*rated.series.groupby, *rated.series.metadata))
        for (begin, _), price in zip(rated.series.points, rated.prices, strict=True):
            place = begin, rated.series.metric
            if place not in usages:
                usages[place] = _MetricUsage()
            usages[place].add(labels, _Usage(price, names))
    missing: dict[datetime.datetime, dict[str, str]] = {}
    for row in stored:
        begin = period.floor(row.begin, step)
        text = _describe_missing(row, usages.get((begin, row.metric)), metrics)
        if text is not None:
            missing.setdefault(begin, {}).setdefault(row.metric, text)
    return {
        begin: f"no longer available: {', '.join(text for _, text in sorted(texts.items()))}"
        for begin, texts in missing.items()
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Usage:
    """Collected usage.

    :ivar price: total price
    :ivar names: names of all its labels
    """

    price: Decimal
    names: _LabelNames

    def __add__(self, other: _Usage) -> _Usage:
        return _Usage(EXACT.add(self.price, other.price), self.names | other.names)


_Usages = dict[_Labels, _Usage]


class _MetricUsage:
    """Collected usage of one metric in one period."""

    def __init__(self) -> None:
        self._usages: _Usages = {}
        #: Names of the ``groupby`` labels of each usage, each set of names once.
        self._names: set[_LabelNames] = set()
        #: Usages by their labels of certain names only, by these names.
        self._usages_by_names: dict[_LabelNames, _Usages] = {}

    def add(self, labels: _Labels, usage: _Usage) -> None:
        """Add usage with these ``groupby`` labels."""
        _add(self._usages, labels, usage)

    def find(self, row: FrameRow) -> _Usage | None:
        """Return the usage that corresponds to a charged one; None: there is none."""
        labels = frozenset(row.groupby.items())
        exact_match = self._usages.get(labels)
        if exact_match is not None:
            return exact_match
        row_names = frozenset(row.groupby)
        if not self._names:
            self._names = {frozenset(name for name, _ in pairs) for pairs in self._usages}
        largest = max(len(row_names & names) for names in self._names)
        common = {row_names & names for names in self._names if len(row_names & names) == largest}
        matches = (self._group_by(names).get(_select(labels, names)) for names in common)
        return functools.reduce(_sum, matches, None)

    def _group_by(self, names: _LabelNames) -> _Usages:
        """Return the usages that have labels of all these names, by these labels only."""
        if names not in self._usages_by_names:
            self._usages_by_names[names] = {}
            for labels, usage in self._usages.items():
                selection = _select(labels, names)
                if len(selection) == len(names):
                    _add(self._usages_by_names[names], selection, usage)
        return self._usages_by_names[names]


def _add(usages: _Usages, labels: _Labels, usage: _Usage) -> None:
    before = usages.get(labels)
    usages[labels] = usage if before is None else before + usage


def _sum(first: _Usage | None, second: _Usage | None) -> _Usage | None:
    return first + second if first and second else first or second


def _select(labels: _Labels, names: _LabelNames) -> _Labels:
    return frozenset(pair for pair in labels if pair[0] in names)


def _describe_missing(
    row: FrameRow, collected: _MetricUsage | None, metrics: Collection[str]
) -> str | None:
    """Say what is missing of a charged usage; None: nothing is."""
    if row.metric not in metrics:
        return f"{row.metric} (not in metrics.yml)"
    if collected is None:
        return row.metric
    usage = collected.find(row)
    if usage is None:
        labels = (f"{name}={value}" for name, value in sorted(row.groupby.items()) if value)
        return f"{row.metric} of {' '.join(labels)}"
    if usage.price > 0 or row.price <= 0:
        return None
    names = sorted({*row.groupby, *row.metadata} - usage.names)
    if not names:
        return None
    noun = "label" if len(names) == 1 else "labels"
    return f"{noun} {' and '.join(names)} of {row.metric}, without which it costs nothing"
