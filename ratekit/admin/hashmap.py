"""What operators do with price rules: plan and make a change, and export what is in force."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Sequence

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain import period
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.rules import succession
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.rules.succession import Horizon
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import RuleStore, Storage
from ratekit.pricing import rule_change
from ratekit.text import utc_text


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A change of the price rules that has not been made yet.

    :ivar book: the rules that it was made for
    :ivar at: when what has no time of its own begins or ends; the epoch where nothing has
        been rated at all
    :ivar protected_until: start of the first period that cannot have been rated; None: nothing
        has been rated at all
    :ivar change: what is closed, added and kept
    """

    book: RuleBook
    at: datetime.datetime
    protected_until: datetime.datetime | None
    change: rule_change.RuleChange

    @property
    def retroactive(self) -> bool:
        """Whether it may change prices of periods that have been rated."""
        return self.protected_until is not None and self.change.since < self.protected_until


@dataclasses.dataclass(frozen=True, slots=True)
class ReplacedCharges:
    """What has been charged by rules that a retroactive change replaces.

    :ivar begin: begin of the first period, UTC
    :ivar end: end of the last, UTC
    :ivar scope: id of the one scope that it is; None: several
    :ivar frames: number of frames of the services that the rules are for, at least one; the
        rules need not match all
    :ivar scopes: number of scopes that have any
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
) -> Plan:
    """Return what turns the stored rules into ``desired``, from the next period on.

    While nothing has been rated there is no history to respect: the change then holds from
    the beginning, so that a mistake that is noticed in time costs nothing.

    :param desired: the whole state; an open rule that it lacks is closed
    :param at: hold from then on instead: the begin of a period
    :param retroactive: prices of periods that have been rated may change
    :raises ratekit.errors.OperatorError: ``desired`` would change history although it may
        not, or ``at`` is no such time
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    book = store.read()
    rated = store.last_rated_end()
    protected_until = None
    if rated is not None:
        protected_until = max(calendar.next_due(now), period.ceiling(rated, calendar.step))
    if at is None:
        horizon = Horizon(
            protected_until or period.EPOCH, protected_until, open_start=protected_until is None
        )
    else:
        scope_admin.require_begin(at, calendar.step)
        horizon = Horizon(at, protected_until)
    if retroactive:
        horizon = dataclasses.replace(horizon, protected_until=None)
    elif protected_until is not None and horizon.at < protected_until:
        raise errors.OperatorError(
            f"{utc_text(horizon.at)} has begun, so that a change from then on needs "
            f"--retroactive: choose {utc_text(protected_until)} or a later time, or say so"
        )
    return Plan(book, horizon.at, protected_until, rule_change.plan(book, desired, horizon))


def charged(storage: Storage, made: Plan, calendar: Calendar) -> ReplacedCharges | None:
    """Return what a change makes the prices of wrong; None: nothing that was rated.

    What is rated until the change has been made is charged by the rules before as well: ask
    again once it has.

    :param made: the change, planned or made
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    if not made.retroactive or made.protected_until is None:
        return None
    frames: dict[str, int] = {}
    # A processor whose clock is ahead of ours rates more than we expected.
    until = storage.rules.last_rated_end() or made.protected_until
    touched = _touched(made.change, max(made.protected_until, period.ceiling(until, calendar.step)))
    for service in dict.fromkeys(service for service, _ in touched):
        own = {scope: stretch for (name, scope), stretch in touched.items() if name == service}
        selection = Selection(
            min(since for since, _ in own.values()),
            max(until for _, until in own.values()),
            # A general rule touches those as well that have rules of their own: counted once.
            scopes=() if None in own else tuple(scope for scope in own if scope is not None),
            metrics=(service,),
        )
        for row in storage.reports.summary(selection, ("scope",), datetime.UTC):
            name = str(row.group["scope"])
            frames[name] = frames.get(name, 0) + row.points
    if not frames:
        return None
    # Reprocessing takes a stretch that has been rated, whole, of each scope.
    rated = storage.tasks.rated_ranges()
    stretches = [rated[name] for name in frames if name in rated]
    begin = min(since for since, _ in touched.values())
    end = max(until for _, until in touched.values())
    return ReplacedCharges(
        begin=period.ceiling(max(begin, min(one.since for one in stretches)), calendar.step),
        end=period.ceiling(min(end, max(one.until for one in stretches)), calendar.step),
        scope=next(iter(frames)) if len(frames) == 1 else None,
        frames=sum(frames.values()),
        scopes=len(frames),
    )


def carry_out(
    store: RuleStore,
    made: Plan,
    now: datetime.datetime,
    made_by: str,
    comment: str | None = None,
) -> int:
    """Make a planned change, in one transaction.

    :param made_by: who makes it, for the record
    :param comment: why
    :returns: the rule book's new version
    :raises ratekit.errors.OperatorError: rules or time have gone on since it was planned
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    # Whoever confirms a plan may take hours to do so.
    if made.protected_until is not None and now >= max(made.protected_until, made.change.since):
        raise errors.OperatorError(
            "prices may have been charged since the change was planned: nothing was written; "
            "plan it again"
        )
    note = ChangeNote(now, made_by, comment, made.retroactive)
    change = made.change
    return store.change(
        made.book.version, change.close, change.add, note, require_unrated=made.protected_until is None
    )


def record(store: RuleStore, version: int) -> ChangeRecord:
    """Return the change after which the rules were at ``version``.

    :raises ratekit.errors.OperatorError: there is none, or it is not known
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    for newest in store.records(1):
        # Versions have no gaps, so it is the last of so many.
        for found in store.records(max(0, newest.version - version) + 1)[-1:]:
            if found.version == version:
                return found
    raise errors.OperatorError(f"no change of the price rules to version {version} is known")


def export(store: RuleStore, now: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force now or will be; planning them changes nothing.

    While nothing has been rated, also those that have ended: they still price the past.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    since = period.EPOCH if store.last_rated_end() is None else now
    return [without_start(rule) for rule in in_force(store.read(), since)]


def without_start(rule: Rule) -> Rule:
    """Return ``rule`` without its start if that is the begin of all periods.

    What replaces a rule before anything was rated starts there, which looks like a date that
    somebody chose, and means no more than none.
    """
    if rule.terms.start is None or rule.terms.start > period.EPOCH:
        return rule
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, start=None))


def in_force(book: RuleBook, since: datetime.datetime) -> Sequence[Rule]:
    """Return the rules that are in force at ``since`` or at any time after it."""
    # A rule that ends at its start was taken back before it began.
    return [
        rule for rule in book.rules if max(succession.start(rule), since) < succession.end(rule)
    ]


_Stretch = tuple[datetime.datetime, datetime.datetime]


def _touched(
    change: rule_change.RuleChange, protected_until: datetime.datetime
) -> dict[tuple[str, str | None], _Stretch]:
    """Return from when to when prices before ``protected_until`` change, by service and scope."""
    found: dict[tuple[str, str | None], _Stretch] = {}
    for rule, begin, end in _stretches(change):
        end = min(end, protected_until)
        if begin < end:
            key = (rule.target.metric, rule.terms.scope)
            first, last = found.get(key, (begin, end))
            found[key] = (min(first, begin), max(last, end))
    return found


def _stretches(
    change: rule_change.RuleChange,
) -> Iterator[tuple[Rule, datetime.datetime, datetime.datetime]]:
    for rule, end in change.close:
        yield rule, end, succession.end(rule)
    for rule in change.add:
        yield rule, succession.start(rule), succession.end(rule)
