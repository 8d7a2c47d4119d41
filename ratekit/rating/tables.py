"""Hashmap rules as look-up tables, one for each stretch of time in which none changes."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.period import BEGINNING, FOREVER
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules import rule as rules

#: Name of a group; rules without a group form the group None.
Group = str | None

_KEPT_TABLES = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Ladder:
    """Thresholds of one target and group.

    :ivar levels: ascending
    :ivar thresholds: one for each level
    """

    levels: tuple[Decimal, ...]
    thresholds: tuple[rules.ThresholdRule, ...]

    def best(self, number: Decimal) -> rules.ThresholdRule | None:
        """Return the threshold of the highest level that is not above ``number``."""
        index = bisect.bisect_right(self.levels, number)
        return self.thresholds[index - 1] if index else None

    def reached(self, number: Decimal) -> Sequence[rules.ThresholdRule]:
        """Return all whose level is not above ``number``, by level."""
        return self.thresholds[: bisect.bisect_right(self.levels, number)]


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """Rules of one target: a service, or one of its fields.

    :ivar mappings: by the label's text; a service's are all under None
    :ivar ladders: thresholds
    """

    mappings: Mapping[str | None, Mapping[Group, rules.MappingRule]]
    ladders: Mapping[Group, Ladder]


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rules of one service in force at any instant of ``[since, until)``.

    A target may have two nodes: the general one, then that of a scope's own rules.

    :ivar service: nodes of the service itself
    :ivar fields: nodes of its fields, in the order of the fields' names
    :ivar calendar: whether a field of the calendar is among them
    """

    since: datetime.datetime
    until: datetime.datetime
    service: tuple[Node, ...]
    fields: tuple[tuple[str, tuple[Node, ...]], ...]
    calendar: bool


def overlay(general: Table, own: Table) -> Table:
    """Return general rules and a scope's own as one table, for as long as both hold.

    Costs a look at each field and none at the rules: so a thousand scopes with a rule
    each need no thousand copies of the price list.
    """
    fields = dict(general.fields)
    for name, nodes in own.fields:
        fields[name] = fields.get(name, ()) + nodes
    return Table(
        since=max(general.since, own.since),
        until=min(general.until, own.until),
        service=general.service + own.service,
        fields=tuple(sorted(fields.items(), key=_name)),
        calendar=general.calendar or own.calendar,
    )


class Layer:
    """Rules of one service that are general, or that one scope has of its own."""

    def __init__(self, members: Iterable[rules.Rule]) -> None:
        self._rules = tuple(members)
        ends = {rule.terms.start for rule in self._rules} | {rule.terms.end for rule in self._rules}
        self._bounds = [BEGINNING, *sorted(bound for bound in ends if bound), FOREVER]
        self._tables: dict[int, Table] = {}

    def at(self, instant: datetime.datetime) -> Table:
        """Return the table for ``instant``, made when it is first asked for."""
        index = bisect.bisect_right(self._bounds, instant, 1, len(self._bounds) - 1)
        table = self._tables.get(index)
        if table is None:
            table = _table(self._rules, self._bounds[index - 1], self._bounds[index])
            if len(self._tables) >= _KEPT_TABLES:
                # Time goes forward: the oldest table is the least likely to be asked again.
                del self._tables[min(self._tables)]
            self._tables[index] = table
        return table


def _table(
    members: Iterable[rules.Rule], since: datetime.datetime, until: datetime.datetime
) -> Table:
    by_field: dict[str | None, list[rules.Rule]] = {}
    for rule in members:
        if rule.terms.in_force(since):
            by_field.setdefault(rule.target.label, []).append(rule)
    service = (_node(by_field.pop(None, ())),)
    fields = {name: (_node(own),) for name, own in by_field.items() if name is not None}
    return Table(
        since=since,
        until=until,
        service=service,
        fields=tuple(sorted(fields.items(), key=_name)),
        calendar=not calendar_labels.NAMES.isdisjoint(fields),
    )


def _name(field: tuple[str, object]) -> str:
    return field[0]


def _node(members: Iterable[rules.Rule]) -> Node:
    mappings: dict[str | None, dict[Group, rules.MappingRule]] = {}
    thresholds: dict[Group, list[rules.ThresholdRule]] = {}
    for rule in members:
        if isinstance(rule, rules.MappingRule):
            mappings.setdefault(rule.value, {})[rule.terms.group] = rule
        else:
            thresholds.setdefault(rule.terms.group, []).append(rule)
    return Node(mappings, {group: _ladder(steps) for group, steps in thresholds.items()})


def _ladder(thresholds: list[rules.ThresholdRule]) -> Ladder:
    thresholds.sort(key=lambda threshold: threshold.level)
    return Ladder(
        levels=tuple(threshold.level for threshold in thresholds),
        thresholds=tuple(thresholds),
    )
