"""Charged usage that a metering back end no longer has."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from ratekit.domain import period
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.series import RatedSeries
from ratekit.text import labels_text

_Labels = frozenset[tuple[str, str | None]]
_LabelNames = frozenset[str]
#: start of a period -> metric -> what it lacks
_Texts = dict[datetime.datetime, dict[str, str]]

#: What a period's note starts with if its usage is there, but cannot be rated.
EXCLUDED = "excluded from rating"


def find_missing_usage(
    stored: Iterable[FrameRow],
    collected: Iterable[RatedSeries],
    step: datetime.timedelta,
    metrics: Collection[str],
    exclusions: Iterable[Exclusion] = (),
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
    :param exclusions: usage that the back end has, but that is not rated
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
    reasons = {(item.metric, item.resource): item.reason for item in exclusions}
    excluded: _Texts = {}
    missing: _Texts = {}
    for row in stored:
        begin = period.floor(row.begin, step)
        collected_usage = usages.get((begin, row.metric))
        if reasons and (collected_usage is None or collected_usage.find(row) is None):
            reason = _find_reason(row, reasons)
            if reason is not None:
                text = f"{describe_usage(row.metric, row.groupby)}: {reason}"
                excluded.setdefault(begin, {}).setdefault(row.metric, text)
                continue
        missing_text = _describe_missing(row, collected_usage, metrics)
        if missing_text is not None:
            missing.setdefault(begin, {}).setdefault(row.metric, missing_text)
    return _describe_periods({EXCLUDED: excluded, "no longer available": missing})


def describe_usage(metric: str, groupby: Mapping[str, str | None]) -> str:
    """Name usage by its metric and the labels that identify it."""
    return f"{metric} of {labels_text(groupby)}"


def _find_reason(row: FrameRow, reasons: Mapping[tuple[str, str], str]) -> str | None:
    """Return why a charged usage is excluded now; None: it is not.

    :param reasons: by metric, and a resource's id or its labels
    """
    for resource in (labels_text(row.groupby), *filter(None, row.groupby.values())):
        if (row.metric, resource) in reasons:
            return reasons[row.metric, resource]
    return None


def _describe_periods(texts_by_title: Mapping[str, _Texts]) -> dict[datetime.datetime, str]:
    """Return one line for each period."""
    lines: dict[datetime.datetime, list[str]] = {}
    for title, texts in texts_by_title.items():
        for begin, by_metric in texts.items():
            line = ", ".join(text for _, text in sorted(by_metric.items()))
            lines.setdefault(begin, []).append(f"{title}: {line}")
    return {begin: "; ".join(parts) for begin, parts in lines.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class _Usage:
    """Collected usage.

    :ivar price: total price
    :ivar names: names of all its labels
    """

    price: Decimal
    names: _LabelNames

    def __add__(self, addend: _Usage) -> _Usage:
        return _Usage(EXACT.add(self.price, addend.price), self.names | addend.names)


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
        return describe_usage(row.metric, row.groupby)
    if usage.price > 0 or row.price <= 0:
        return None
    names = sorted({*row.groupby, *row.metadata} - usage.names)
    if not names:
        return None
    noun = "label" if len(names) == 1 else "labels"
    return f"{noun} {' and '.join(names)} of {row.metric}, without which it costs nothing"
