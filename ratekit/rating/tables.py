"""Look-up tables of the rules, one for each time range in which no rule starts or ends."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.period import BEGINNING, FOREVER
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import MappingRule, Rule, ThresholdRule

#: Name of a group; None: the group of the rules without a group.
Group = str | None

_MAX_TABLES = 64
#: The text of a null label in CloudKitty, and in tools that write every attribute as text.
_NULL_TEXT = "None"


@dataclasses.dataclass(frozen=True, slots=True)
class Ladder:
    """Thresholds of one target and group, at most one for each level.

    :ivar levels: ascending
    :ivar thresholds: in the order of the levels
    """

    levels: tuple[Decimal, ...]
    thresholds: tuple[ThresholdRule, ...]

    def find_highest(self, number: Decimal) -> ThresholdRule | None:
        """Return the threshold with the highest level that is not above ``number``."""
        index = bisect.bisect_right(self.levels, number)
        return self.thresholds[index - 1] if index else None

    def find_all(self, number: Decimal) -> Sequence[ThresholdRule]:
        """Return the thresholds whose level is not above ``number``, by level."""
        return self.thresholds[: bisect.bisect_right(self.levels, number)]


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """Rules of one target: a metric, or one of its labels.

    :ivar mappings: by the label, a text or null, then by group; under None those of the metric
        itself
    :ivar ladders: thresholds by group
    """

    mappings: Mapping[str | None, Mapping[Group, MappingRule]]
    ladders: Mapping[Group, Ladder]


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rules of one metric that are in force in ``[since, until)``.

    A target may have two nodes: of the general rules, then of a scope's own rules.

    :ivar metric: nodes of the metric itself
    :ivar labels: nodes of its labels, by the labels' names
    :ivar calendar: whether a label of the calendar is among them
    """

    since: datetime.datetime
    until: datetime.datetime
    metric: tuple[Node, ...]
    labels: tuple[tuple[str, tuple[Node, ...]], ...]
    calendar: bool


def overlay(general: Table, scope_specific: Table) -> Table:
    """Return general rules and a scope's own as one table, for the time in which both are valid.

    It takes time for each label, not for each rule, and copies no rules: so a thousand scopes
    with a rule each do not need a thousand copies of the price list.
    """
    labels = dict(general.labels)
    for name, nodes in scope_specific.labels:
        labels[name] = labels.get(name, ()) + nodes
    return Table(
        since=max(general.since, scope_specific.since),
        until=min(general.until, scope_specific.until),
        metric=general.metric + scope_specific.metric,
        labels=tuple(sorted(labels.items(), key=_name)),
        calendar=general.calendar or scope_specific.calendar,
    )


class Layer:
    """Rules of one metric: all general ones, or all that one scope has of its own."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        ends = {rule.terms.start for rule in self._rules} | {rule.terms.end for rule in self._rules}
        self._bounds = [BEGINNING, *sorted(bound for bound in ends if bound), FOREVER]
        self._tables: dict[int, Table] = {}

    def at(self, instant: datetime.datetime) -> Table:
        """Return the table for ``instant``; it is built when it is first needed."""
        index = bisect.bisect_right(self._bounds, instant, 1, len(self._bounds) - 1)
        table = self._tables.get(index)
        if table is None:
            table = _build_table(self._rules, self._bounds[index - 1], self._bounds[index])
            if len(self._tables) >= _MAX_TABLES:
                # Time goes forward: the oldest table is the least likely to be needed again.
                del self._tables[min(self._tables)]
            self._tables[index] = table
        return table


def _build_table(
    rules: Iterable[Rule], since: datetime.datetime, until: datetime.datetime
) -> Table:
    by_label: dict[str | None, list[Rule]] = {}
    for rule in rules:
        if rule.terms.in_force(since):
            by_label.setdefault(rule.target.label, []).append(rule)
    metric = (_build_node(by_label.pop(None, ())),)
    labels = {
        name: (_build_node(members),) for name, members in by_label.items() if name is not None
    }
    return Table(
        since=since,
        until=until,
        metric=metric,
        labels=tuple(sorted(labels.items(), key=_name)),
        calendar=not calendar_labels.NAMES.isdisjoint(labels),
    )


def _name(label: tuple[str, object]) -> str:
    return label[0]


def _build_node(rules: Iterable[Rule]) -> Node:
    mappings: dict[str | None, dict[Group, MappingRule]] = {}
    thresholds: dict[Group, list[ThresholdRule]] = {}
    for rule in rules:
        if isinstance(rule, MappingRule):
            mappings.setdefault(rule.value, {})[rule.terms.group] = rule
            if rule.value is None and rule.target.label is not None:
                mappings.setdefault(_NULL_TEXT, {}).setdefault(rule.terms.group, rule)
        else:
            thresholds.setdefault(rule.terms.group, []).append(rule)
    return Node(mappings, {group: _build_ladder(members) for group, members in thresholds.items()})


def _build_ladder(thresholds: list[ThresholdRule]) -> Ladder:
    thresholds.sort(key=lambda threshold: threshold.level)
    return Ladder(
        levels=tuple(threshold.level for threshold in thresholds),
        thresholds=tuple(thresholds),
    )
