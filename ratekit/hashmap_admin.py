"""What operators do with price rules: plan and make a change, and export what is in force."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence

from ratekit import errors, rule_changes
from ratekit.domain import period
from ratekit.domain.due import Calendar
from ratekit.domain.rules import Rule, RuleBook
from ratekit.interfaces import RuleStore


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A change of the price rules that has not been made yet.

    :ivar version: version of the rule book that it was made for
    :ivar at: when it begins: a period that has not begun, so nothing has been rated from
        then on; the epoch where nothing has been rated at all
    :ivar open_left: nothing has been rated at all
    :ivar change: what is closed, added and kept
    """

    version: int
    at: datetime.datetime
    open_left: bool
    change: rule_changes.RuleChange

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.change.close and not self.change.add


def plan(
    store: RuleStore, desired: Collection[Rule], calendar: Calendar, now: datetime.datetime
) -> Plan:
    """Return what turns the stored rules into ``desired``, from the next period on.

    While nothing has been rated there is no history to respect: the change then holds from
    the beginning, so that a mistake that is noticed in time costs nothing.

    :param desired: the whole state; an open rule that it lacks is closed
    :raises ratekit.errors.OperatorError: ``desired`` would change history
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    book = store.read()
    rated = store.rated_until()
    at = period.EPOCH
    if rated is not None:
        at = max(calendar.next_due(now), period.ceiling(rated, calendar.step))
    change = rule_changes.plan(book, desired, at, open_left=rated is None)
    return Plan(book.version, at, rated is None, change)


def carry_out(store: RuleStore, made: Plan, now: datetime.datetime) -> int:
    """Make a planned change, in one transaction.

    :returns: the rule book's new version
    :raises ratekit.errors.OperatorError: rules or time have gone on since it was planned
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    # Whoever confirms a plan may take hours to do so.
    if now >= made.at and not made.open_left:
        raise errors.OperatorError(
            "prices may have been charged since the change was planned: nothing was written; "
            "plan it again"
        )
    return store.change(
        made.version, made.change.close, made.change.add, now, unrated=made.open_left
    )


def export(store: RuleStore, now: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force now or will be; planning them changes nothing.

    While nothing has been rated, also those that have ended: they still price the past.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    since = period.EPOCH if store.rated_until() is None else now
    return [open_left(rule) for rule in in_force(store.read(), since)]


def open_left(rule: Rule) -> Rule:
    """Return ``rule`` without its start if that is the begin of all periods.

    What replaces a rule before anything was rated starts there, which looks like a date that
    somebody chose, and means no more than none.
    """
    if rule.terms.start is None or rule.terms.start > period.EPOCH:
        return rule
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, start=None))


def in_force(book: RuleBook, since: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force at ``since`` or at any time after it."""
    return [rule for rule in book.rules if _ahead(rule, since)]


def _ahead(rule: Rule, since: datetime.datetime) -> bool:
    start, end = rule.terms.start, rule.terms.end
    # A rule that ends at its start was taken back before it began.
    return end is None or (end > since and (start is None or start < end))
