"""How the rules of one identity follow one another: from the stored ones to the desired ones.

At most one rule of an identity is in force at any instant (``rule_change.identity``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ratekit.domain.period import BEGINNING, FOREVER
from ratekit.domain.rules import line
from ratekit.domain.rules.rule import CostType, Rule


@dataclasses.dataclass(frozen=True, slots=True)
class Horizon:
    """When a change takes effect, and which prices it must not touch.

    :ivar at: start or end of what has no time of its own, UTC
    :ivar protected_until: prices of earlier instants must not change, UTC; None: all may
    :ivar open_start: nothing has been rated yet: a new rule without a start is stored without
        one, so that it prices the past, too
    :ivar scheduled_after: starts and ends of stored rules after this instant are scheduled, and
        stay so where they lead to the desired rules; None: they are brought forward
    :ivar next_period: a rule that starts later is scheduled, and does not continue the line of
        the rule that it follows; None: ``at``
    """

    at: datetime.datetime
    protected_until: datetime.datetime | None = None
    open_start: bool = False
    scheduled_after: datetime.datetime | None = None
    next_period: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Succession:
    """The changes to the rules of one identity.

    :ivar close: stored rules and the new end of each
    :ivar add: new rules, with the validity to store
    :ivar keep: stored rules that are or will be in force and stay as they are
    :ivar violations: desired rules that would change protected prices
    :ivar expired_rules: desired rules without a start that end before they could start
    :ivar scheduled: stored rules that start or end at a scheduled instant, which stays although
        the file does not give it
    """

    close: tuple[tuple[Rule, datetime.datetime], ...]
    add: tuple[Rule, ...]
    keep: tuple[Rule, ...]
    violations: tuple[Rule, ...] = ()
    expired_rules: tuple[Rule, ...] = ()
    scheduled: tuple[tuple[Rule, datetime.datetime], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Segment:
    """A time range and the rule that prices it; None: no rule does."""

    begin: datetime.datetime
    end: datetime.datetime
    rule: Rule | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Schedule:
    """The stored rules are scheduled to become the desired ones.

    :ivar moment: the instant from which on they do
    :ivar rules: those that start or end then, unless the file gives the instant
    """

    moment: datetime.datetime
    rules: tuple[Rule, ...]


_PriceRange = tuple[datetime.datetime, datetime.datetime, tuple[Decimal, CostType]]


def start(rule: Rule) -> datetime.datetime:
    """Return a rule's first instant, :data:`BEGINNING` if it has no start."""
    return rule.terms.start or BEGINNING


def end(rule: Rule) -> datetime.datetime:
    """Return a rule's first instant no longer in force, :data:`FOREVER` if it has no end."""
    return rule.terms.end or FOREVER


def with_validity(rule: Rule, begin: datetime.datetime, until: datetime.datetime) -> Rule:
    """Return a copy of ``rule`` with another validity, as a rule that is not stored."""
    terms = dataclasses.replace(
        rule.terms,
        start=None if begin == BEGINNING else begin,
        end=None if until == FOREVER else until,
    )
    return dataclasses.replace(rule, terms=terms, id=None, line=None)


def reconcile(stored: Sequence[Rule], desired: Sequence[Rule], horizon: Horizon) -> Succession:
    """Return the changes that turn the stored rules into the desired ones.

    From ``horizon.at`` on only the desired rules count. Before it the stored rules stay, except
    where a desired rule has a start or an end of its own: from its start on it replaces the
    stored rule that is in force then. A stored rule is only ever shortened: what follows is a
    new rule.

    Where the stored rules are scheduled to become the desired ones, ``horizon.at`` is the
    instant at which they do.

    :param stored: by start
    :param desired: by start, without overlaps
    """
    rules = [rule for rule in stored if start(rule) < end(rule)]
    schedule = _find_schedule(rules, desired, horizon)
    at, next_period = horizon.at, horizon.next_period or horizon.at
    if schedule is not None and schedule.moment > at:
        horizon = dataclasses.replace(horizon, at=schedule.moment, open_start=False)
    plan = _Plan(rules, desired, horizon)
    target = plan.segments()
    close, keep, stored_segments = [], [], []
    for rule in rules:
        cut = _first_difference(rule, target)
        if cut < end(rule):
            close.append((rule, cut))
        elif end(rule) > at:
            keep.append(rule)
        if start(rule) < cut:
            stored_segments.append(_Segment(start(rule), cut, rule))
    additions = [
        (segment.rule, part)
        for segment in target
        if segment.rule is not None
        for part in _subtract(segment, stored_segments)
    ]
    moments = [cut for _, cut in close] + [part.begin for _, part in additions]
    add = [with_validity(rule, part.begin, part.end) for rule, part in additions]
    return Succession(
        tuple(close),
        line.continue_lines(close, add, next_period),
        tuple(keep),
        tuple(plan.find_violations(moments)),
        tuple(plan.expired_rules),
        () if schedule is None else tuple((rule, schedule.moment) for rule in schedule.rules),
    )


def _find_schedule(
    stored: Sequence[Rule], desired: Sequence[Rule], horizon: Horizon
) -> _Schedule | None:
    """Return the schedule that leads to the desired rules; None: there is none."""
    limit = horizon.scheduled_after
    if limit is None:
        return None
    for rule in desired:
        if rule.terms.start is None:
            scheduled = _find_scheduled_start(stored, rule)
            if scheduled is None or start(scheduled) <= limit:
                return None
            return _Schedule(start(scheduled), (scheduled,))
    first = min((start(rule) for rule in desired), default=FOREVER)
    for moment in sorted({end(rule) for rule in stored}):
        # Before its first start, a file says nothing; after it, only the file counts.
        within = limit < moment < FOREVER and moment <= first
        if within and _prices_from(stored, moment) == _prices_from(desired, moment):
            ending = tuple(rule for rule in stored if end(rule) == moment and not desired)
            return _Schedule(moment, ending)
    return None


def _find_scheduled_start(stored: Sequence[Rule], rule: Rule) -> Rule | None:
    """Return the last stored rule from which on the price of a rule without a start is in force."""
    scheduled, until = None, None
    for candidate in stored:
        if not _same_price(candidate, rule) or start(candidate) >= end(rule):
            continue
        if until != start(candidate):
            scheduled = candidate
        until = end(candidate)
    return scheduled


def _prices_from(rules: Iterable[Rule], moment: datetime.datetime) -> list[_PriceRange]:
    """Return begin, end and price of each time range from ``moment`` on, by time."""
    ranges: list[_PriceRange] = []
    for rule in rules:
        begin, price = max(start(rule), moment), (rule.terms.cost, rule.terms.type)
        if begin >= end(rule):
            continue
        if ranges and ranges[-1][1:] == (begin, price):
            begin = ranges.pop()[0]
        ranges.append((begin, end(rule), price))
    return ranges


class _Plan:
    """Which rule is to be in force when, and which desired rule asks for it."""

    def __init__(self, stored: Sequence[Rule], desired: Sequence[Rule], horizon: Horizon) -> None:
        self._stored = stored
        self._desired = desired
        self._horizon = horizon
        self.expired_rules: list[Rule] = []
        #: Validity of the desired rules; it takes precedence over the stored ones.
        self._claims: list[_Segment] = []
        #: Where stored rules end without a successor, and the desired rule that ends them.
        self._removals: list[tuple[_Segment, Rule]] = []
        for rule in desired:
            if rule.terms.start is None:
                self._claim_without_start(rule)
            else:
                self._claim_from_start(rule)

    def segments(self) -> list[_Segment]:
        """Return which rule is to be in force when, by time; gaps have no rule."""
        at = self._horizon.at
        segments = [*self._claims]
        occupied = [*self._claims, *(segment for segment, _ in self._removals)]
        for rule in self._stored:
            if start(rule) < at:
                history = _Segment(start(rule), min(at, end(rule)), rule)
                segments += _subtract(history, occupied)
        return sorted(segments, key=lambda segment: segment.begin)

    def find_violations(self, moments: Iterable[datetime.datetime]) -> list[Rule]:
        """Return the desired rules that change something at a protected moment."""
        limit = self._horizon.protected_until
        early = [moment for moment in moments if limit is not None and moment < limit]
        sources = [(segment, segment.rule) for segment in self._claims] + self._removals
        culprits = [
            rule
            for segment, rule in sources
            if any(segment.begin <= moment < segment.end for moment in early)
        ]
        return [rule for rule in self._desired if any(rule is culprit for culprit in culprits)]

    def _claim_without_start(self, rule: Rule) -> None:
        """Claim the validity of a desired rule that has no start."""
        at = self._horizon.at
        until = end(rule)
        has_past = any(start(stored) < min(at, until) for stored in self._stored)
        if self._horizon.open_start and not has_past:
            self._claims.append(_Segment(BEGINNING, until, rule))
        elif until > at:
            self._claims.append(_Segment(at, until, rule))
        elif self._find_predecessor(rule) is None:
            self.expired_rules.append(rule)
        else:
            self._end_predecessors(rule)

    def _claim_from_start(self, rule: Rule) -> None:
        """Claim the validity of a desired rule that has a start."""
        self._claims.append(_Segment(start(rule), end(rule), rule))
        in_force = (stored for stored in self._stored if stored.terms.in_force(start(rule)))
        replaced_rule = next(in_force, None)
        if replaced_rule is not None:
            self._removals.append((_Segment(start(rule), end(replaced_rule), None), rule))
        self._end_predecessors(rule)

    def _end_predecessors(self, rule: Rule) -> None:
        """Remove the stored rules that would continue the price of ``rule`` after its end."""
        predecessor = self._find_predecessor(rule)
        if predecessor is None or end(predecessor) == end(rule):
            return
        desired_starts = {desired.terms.start for desired in self._desired}
        until = end(predecessor)
        for stored in self._stored:
            follows = start(stored) == until and stored.terms.start not in desired_starts
            if follows and _same_price(stored, rule):
                until = end(stored)
        self._removals.append((_Segment(end(rule), until, None), rule))

    def _find_predecessor(self, rule: Rule) -> Rule | None:
        """Return the stored rule with the same price that is in force until ``rule`` ends."""
        candidates = (stored for stored in self._stored if start(stored) < end(rule) <= end(stored))
        return next((stored for stored in candidates if _same_price(stored, rule)), None)


def _same_price(first: Rule, second: Rule) -> bool:
    return (first.terms.cost, first.terms.type) == (second.terms.cost, second.terms.type)


def _first_difference(rule: Rule, target: Iterable[_Segment]) -> datetime.datetime:
    """Return the first instant at which the target differs from ``rule``, at most its end."""
    moment = start(rule)
    for segment in target:
        if segment.end <= moment:
            continue
        equal = segment.rule is not None and _same_price(segment.rule, rule)
        if segment.begin > moment or not equal:
            break
        moment = segment.end
    return min(moment, end(rule))


def _subtract(segment: _Segment, removals: Iterable[_Segment]) -> list[_Segment]:
    """Return the parts of a segment that no other segment covers."""
    parts = [segment]
    for removal in removals:
        remaining_parts = []
        for part in parts:
            before, after = min(part.end, removal.begin), max(part.begin, removal.end)
            if part.begin < before:
                remaining_parts.append(dataclasses.replace(part, end=before))
            if after < part.end:
                remaining_parts.append(dataclasses.replace(part, begin=after))
        parts = remaining_parts
    return parts
