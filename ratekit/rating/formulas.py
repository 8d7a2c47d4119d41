"""Finds the formula for usages of one metric, and remembers it by the labels that rules compare."""

from __future__ import annotations

import datetime
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from ratekit.domain.rules import calendar_labels
from ratekit.domain.series import Series
from ratekit.rating import tables
from ratekit.rating.formula import Formula, build
from ratekit.rating.tables import Layer, Node, Table

#: Formulas, of about 1 KiB each, after which all of one time range are forgotten.
_MAX_FORMULAS = 1000
#: Time ranges that are remembered: those of a window in which the rules change daily.
_MAX_RANGES = 40

#: In place of a label that the usage does not have, or that no rule mentions.
_NO_MATCH = object()


class _Label(NamedTuple):
    """A label that rules compare.

    :ivar values: those that rules mention; None: any value may matter, as a number
    """

    name: str
    values: Container[str | None] | None


class _AnyNode(Container[str | None]):
    """The values of mappings of several nodes.

    Nothing is copied: a thousand scopes with a rule each share the general rules.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    def __contains__(self, value: object) -> bool:
        return any(value in node.mappings for node in self._nodes)


class _TimeRange(NamedTuple):
    """A time range in which neither the rules nor the labels of the calendar change.

    :ivar calendar: labels of the calendar, if rules compare any
    :ivar labels: the other labels that rules compare
    :ivar formulas: by the values of these
    """

    since: datetime.datetime
    until: datetime.datetime
    table: Table
    calendar: Mapping[str, str]
    labels: Sequence[_Label]
    formulas: dict[tuple[object, ...], Formula]


class Formulas:
    """Formulas of one metric: for all scopes, or for one that has rules of its own.

    To build one takes four times as long as to price a usage by it. Usages whose labels differ
    only in what no rule mentions, such as ids and names, share one.

    :param layers: general rules, then those of the scope
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        #: By start.
        self._ranges: dict[datetime.datetime, _TimeRange] = {}
        self._current: _TimeRange | None = None

    def find(self, series: Series, instant: datetime.datetime) -> Formula:
        """Return the formula for usages with the labels of ``series`` at an instant."""
        current = self._current
        if current is None or not current.since <= instant < current.until:
            current = self._current = self._find_range(instant)
        groupby, metadata = series.groupby, series.metadata
        values: list[object] = []
        for name, mentioned in current.labels:
            value = groupby[name] if name in groupby else metadata.get(name, _NO_MATCH)
            values.append(value if mentioned is None or value in mentioned else _NO_MATCH)
        key = tuple(values)
        formula = current.formulas.get(key)
        if formula is None:
            if len(current.formulas) >= _MAX_FORMULAS:
                current.formulas.clear()
            formula = current.formulas[key] = _build(current, key)
        return formula

    def _find_range(self, instant: datetime.datetime) -> _TimeRange:
        table = self._layers[0].at(instant)
        for layer in self._layers[1:]:
            table = tables.overlay(table, layer.at(instant))
        since, until = table.since, table.until
        calendar: Mapping[str, str] = {}
        if table.calendar:
            midnight, next_midnight = calendar_labels.utc_day(instant)
            since, until = max(since, midnight), min(until, next_midnight)
            calendar = calendar_labels.read(instant)
        time_range = self._ranges.get(since)
        if time_range is None:
            if len(self._ranges) >= _MAX_RANGES:
                # Time goes forward: the oldest range is the least likely to be needed again.
                del self._ranges[min(self._ranges)]
            labels = [
                _Label(name, _mentioned(nodes))
                for name, nodes in table.labels
                # As in CloudKitty, the calendar takes precedence over labels of the same name.
                if name not in calendar
            ]
            time_range = _TimeRange(since, until, table, calendar, labels, {})
            self._ranges[since] = time_range
        return time_range


def _mentioned(nodes: Sequence[Node]) -> Container[str | None] | None:
    """Return the values that mappings compare with; None: thresholds read it as a number."""
    if any(node.ladders for node in nodes):
        return None
    return nodes[0].mappings if len(nodes) == 1 else _AnyNode(nodes)


def _build(time_range: _TimeRange, key: tuple[object, ...]) -> Formula:
    labels = {
        label.name: value
        for label, value in zip(time_range.labels, key, strict=True)
        if value is None or isinstance(value, str)
    }
    return build(
        time_range.table, {**labels, **time_range.calendar}, time_range.since, time_range.until
    )
