"""Plan and make changes of price rules, find their records, and export the rules in force."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain import period
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.rules import calendar_labels, succession
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.rules.succession import Horizon
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, RuleStore, Storage
from ratekit.pricing import rule_change
from ratekit.text import utc_text

_Range = tuple[datetime.datetime, datetime.datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A change of the price rules that has not been made yet.

    :ivar book: the rules before the change
    :ivar at: when rules without a time of their own start or end; the epoch if nothing has
        been rated
    :ivar protected_until: start of the first period that cannot have been rated; None: nothing
        has been rated
    :ivar change: the rules to close, to add and to keep
    :ivar brought_forward: stored rules whose scheduled start or end comes earlier by the change
    """

    book: RuleBook
    at: datetime.datetime
    protected_until: datetime.datetime | None
    change: rule_change.RuleChange
    brought_forward: Sequence[Rule] = ()

    @property
    def retroactive(self) -> bool:
        """Whether the change may affect periods that have been rated."""
        return self.protected_until is not None and self.change.since < self.protected_until


@dataclasses.dataclass(frozen=True, slots=True)
class ReplacedCharges:
    """The charges by rules that a retroactive change replaces, or without any rule.

    :ivar begin: start of the first period, UTC
    :ivar end: end of the last, UTC
    :ivar scope: ID of the only scope that was charged; None: several
    :ivar frames: number of frames, at least one; of the metrics of these rules, which need not
        match all of them
    :ivar scopes: number of scopes with such frames
    """

    begin: datetime.datetime
    end: datetime.datetime
    scope: str | None
    frames: int
    scopes: int


def plan(
    store: RuleStore,
    desired: Collection[Rule],
    calendar: Calendar,
    now: datetime.datetime,
    at: datetime.datetime | None = None,
    retroactive: bool = False,
    bring_forward: bool = False,
) -> Plan:
    """Return the change that turns the stored rules into ``desired`` from the next period.

    If nothing has been rated yet, the change applies from the beginning: a mistake that is
    corrected in time then has no effect. A change that is scheduled for later stays scheduled.

    :param desired: the complete state; an open rule that it lacks is closed
    :param at: start of the period from which the change applies instead
    :param retroactive: allow a change that affects rated periods
    :param bring_forward: make scheduled changes at the same time
    :raises ratekit.errors.OperatorError: the change would affect rated periods without
        ``retroactive``, or ``at`` is not the start of a period
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    book = store.read()
    protected_until = find_protected_until(store, calendar, now)
    next_start = protected_until or period.EPOCH
    if at is None:
        horizon = Horizon(next_start, protected_until, protected_until is None, next_start)
    else:
        scope_admin.require_start(at, calendar.step)
        horizon = Horizon(at, protected_until, scheduled_after=next_start)
    next_period = protected_until or calendar.next_due(now)
    horizon = dataclasses.replace(horizon, next_period=next_period)
    if retroactive:
        horizon = dataclasses.replace(horizon, protected_until=None)
    elif protected_until is not None and horizon.at < protected_until:
        raise errors.OperatorError(
            f"a change from {utc_text(horizon.at)} may affect rated periods: choose "
            f"{utc_text(protected_until)} or a later time, or use --retroactive"
        )
    change = rule_change.plan(book, desired, horizon)
    if not bring_forward:
        return Plan(book, horizon.at, protected_until, change)
    earlier = [rule for rule, moment in change.scheduled if horizon.at < moment]
    change = rule_change.plan(book, desired, dataclasses.replace(horizon, scheduled_after=None))
    return Plan(book, horizon.at, protected_until, change, earlier)


def find_protected_until(
    store: RuleStore, calendar: Calendar, now: datetime.datetime
) -> datetime.datetime | None:
    """Return the start of the first period that cannot have been rated; None: nothing has been.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rated = store.last_rated_end()
    if rated is None:
        return None
    return max(calendar.next_due(now), period.ceiling(rated, calendar.step))


def find_replaced_charges(
    storage: Storage, plan: Plan, calendar: Calendar
) -> ReplacedCharges | None:
    """Return the stored charges that a change affects; None: there are none.

    Periods that are rated before the change is made are still charged by the previous rules:
    call this again after making the change.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    if not plan.retroactive or plan.protected_until is None:
        return None
    # A processor whose clock is ahead of ours may have rated later periods.
    until = storage.rules.last_rated_end() or plan.protected_until
    limit = max(plan.protected_until, period.ceiling(until, calendar.step))
    ranges = _find_affected_ranges(plan.change, limit)
    frames = _count_frames(storage.reports, ranges)
    if not frames:
        return None
    begin = min(since for since, _ in ranges.values())
    end = max(until for _, until in ranges.values())
    return _limit_charges(storage, frames, (begin, end), calendar)


def find_charges_without_rules(
    storage: Storage, plan: Plan, calendar: Calendar
) -> ReplacedCharges | None:
    """Return the stored charges from before the first rules; None: there are none.

    None also if the change is retroactive: :func:`find_replaced_charges` returns them.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    if plan.book.rules or plan.retroactive or plan.protected_until is None:
        return None
    rows = storage.reports.summary(Selection(scopes=ALL_SCOPES), ("scope",), datetime.UTC)
    frames = {str(row.group["scope"]): row.points for row in rows}
    if not frames:
        return None
    return _limit_charges(storage, frames, (period.BEGINNING, period.FOREVER), calendar)


def _limit_charges(
    storage: Storage, frames: Mapping[str, int], bounds: _Range, calendar: Calendar
) -> ReplacedCharges:
    """Return the charges of scopes, in times at which they have been rated.

    Reprocessing refuses other times.

    :param frames: number of frames of each scope
    """
    rated_ranges = storage.tasks.rated_ranges()
    charged_ranges = [rated_ranges[name] for name in frames if name in rated_ranges]
    begin = max(bounds[0], min(rated.since for rated in charged_ranges))
    end = min(bounds[1], max(rated.until for rated in charged_ranges))
    return ReplacedCharges(
        begin=period.ceiling(begin, calendar.step),
        end=period.ceiling(end, calendar.step),
        scope=next(iter(frames)) if len(frames) == 1 else None,
        frames=sum(frames.values()),
        scopes=len(frames),
    )


def make_change(
    store: RuleStore,
    plan: Plan,
    now: datetime.datetime,
    made_by: str,
    comment: str | None = None,
) -> int:
    """Make a planned change, in one transaction.

    :param made_by: who makes it, for the record
    :param comment: why
    :returns: the new version of the rules
    :raises ratekit.errors.OperatorError: the rules have changed since it was planned, or a
        period that it affects may have been rated
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    # An operator may take hours to confirm a plan.
    if plan.protected_until is not None and now >= max(plan.protected_until, plan.change.since):
        raise errors.OperatorError(
            "nothing was changed: periods may have been rated since the change was planned; plan "
            "it again"
        )
    note = ChangeNote(now, made_by, comment, plan.retroactive)
    change = plan.change
    unrated_since = None if plan.retroactive else find_unrated_since(change, plan.protected_until)
    return store.change(plan.book.version, change.close, change.add, note, unrated_since)


def find_unrated_since(
    change: rule_change.RuleChange, protected_until: datetime.datetime | None
) -> datetime.datetime | None:
    """Return from when on nothing may have been rated when a change is made; None: no matter.

    Each period is then charged by the rules that are in force at its begin, as history has them.

    :param protected_until: as when it was planned; None: nothing had been rated
    """
    if change.empty:
        return None
    return period.EPOCH if protected_until is None else change.since


def find_record(store: RuleStore, version: int) -> ChangeRecord:
    """Return the change that led to ``version`` of the rules.

    :raises ratekit.errors.OperatorError: there is none, or it was not recorded
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    for newest in store.records(1):
        # Versions have no gaps, so it is the last of this number of records.
        for record in store.records(max(0, newest.version - version) + 1)[-1:]:
            if record.version == version:
                return record
    raise errors.OperatorError(
        f"no recorded change led to version {version} of the price rules; see ratekit hashmap "
        "history"
    )


def export(store: RuleStore, now: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force now or later; planning them changes nothing.

    If nothing has been rated yet, include rules that have ended: they price the past.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    since = period.EPOCH if store.last_rated_end() is None else now
    return [without_start(rule) for rule in in_force(store.read(), since)]


def without_start(rule: Rule) -> Rule:
    """Return ``rule`` without its start if that is the epoch.

    A rule that replaces another before anything is rated starts there, which means the same as
    no start but would look like a date that an operator chose.
    """
    if rule.terms.start is None or rule.terms.start > period.EPOCH:
        return rule
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, start=None))


def rule_labels(label_names: Mapping[str, Collection[str]]) -> Mapping[str, Collection[str]]:
    """Return the labels that rules may look at: those of each metric and of the calendar."""
    return {metric: calendar_labels.NAMES.union(names) for metric, names in label_names.items()}


def in_force(book: RuleBook, since: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force at ``since`` or at any time after it."""
    # A rule that ends at its start was withdrawn before it came into force.
    return [
        rule for rule in book.rules if max(succession.start(rule), since) < succession.end(rule)
    ]


#: Times by metric and scope; no scope: the range of a general rule.
_Ranges = dict[tuple[str, str | None], _Range]


def _count_frames(reports: Reports, ranges: _Ranges) -> Mapping[str, int]:
    """Return the number of frames of each scope that has any in ``ranges``."""
    frames: dict[str, int] = {}
    for metric in dict.fromkeys(metric for metric, _ in ranges):
        by_scope = {scope: bounds for (name, scope), bounds in ranges.items() if name == metric}
        scopes = frozenset(scope for scope in by_scope if scope is not None)
        selection = Selection(
            min(since for since, _ in by_scope.values()),
            max(until for _, until in by_scope.values()),
            # A general rule also affects scopes with rules of their own: count them once.
            scopes=ALL_SCOPES if None in by_scope else scopes,
            metrics=(metric,),
        )
        for row in reports.summary(selection, ("scope",), datetime.UTC):
            scope_id = str(row.group["scope"])
            frames[scope_id] = frames.get(scope_id, 0) + row.points
    return frames


def _find_affected_ranges(change: rule_change.RuleChange, limit: datetime.datetime) -> _Ranges:
    """Return the times before ``limit`` at which prices change, by metric and scope."""
    ranges: _Ranges = {}
    for rule, begin, end in _rule_ranges(change):
        end = min(end, limit)
        if begin < end:
            key = (rule.target.metric, rule.terms.scope)
            first, last = ranges.get(key, (begin, end))
            ranges[key] = (min(first, begin), max(last, end))
    return ranges


def _rule_ranges(
    change: rule_change.RuleChange,
) -> Iterator[tuple[Rule, datetime.datetime, datetime.datetime]]:
    for rule, end in change.close:
        yield rule, end, succession.end(rule)
    for rule in change.add:
        yield rule, succession.start(rule), succession.end(rule)
