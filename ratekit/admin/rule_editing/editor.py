"""Makes changes of single rules: each is one transaction and one record of the history."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from ratekit import errors
from ratekit.admin import hashmap, rule_guards
from ratekit.admin import metric as metric_admin
from ratekit.admin.rule_editing.index import RuleIndex, is_withdrawn, kind_of
from ratekit.domain import period
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.rules import public_id, succession
from ratekit.domain.rules.catalog import NO_NAMES, NameChange
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import Rule, RuleTarget
from ratekit.domain.schedule.calendar import Calendar
from ratekit.files import rule_warnings
from ratekit.files.rule_warnings import Labels
from ratekit.files.rules_file import PlacedRule
from ratekit.interfaces import RatingModule, Storage
from ratekit.pricing import rule_change
from ratekit.pricing.rule_change import RuleChange, describe
from ratekit.text import utc_text

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: CloudKitty's clients cannot send the argument.
_REMEDY = "repeat the request with allow_free=true, or use ratekit hashmap apply --allow-free"
_UNCHECKED = "not checked for mistakes: the database did not answer in time"


@dataclasses.dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change.

    :ivar id: of the user in Keystone
    :ivar name: None: not known
    """

    id: str
    name: str | None = None

    def __str__(self) -> str:
        return self.id if self.name is None else f"{self.id} ({self.name})"


def _ignore(version: int) -> None:
    """Do nothing about a change."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """Who edits rules, when, and what they allow.

    :ivar now: UTC
    :ivar force: a rule may start in the past, although periods since then may have been rated
    :ivar allow_free: usage that has a price now may become free of charge
    :ivar notify: is told the version of the rules as soon as it is stored
    """

    author: Author
    now: datetime.datetime
    force: bool = False
    allow_free: bool = False
    notify: Callable[[int], None] = _ignore


@dataclasses.dataclass(frozen=True, slots=True)
class EditResult(Generic[T]):
    """What an edit did.

    :ivar show: reads what was edited
    :ivar version: of the rules after it; None: there was nothing to change
    :ivar warnings: what may be a mistake, one line each
    """

    show: Callable[[], T]
    version: int | None
    warnings: tuple[str, ...] = ()

    @property
    def view(self) -> T:
        """What was edited, as it is now.

        :raises ratekit.errors.NotShown: the storage did not answer; the edit is made all the same
        """
        try:
            return self.show()
        except errors.TryLater as error:
            LOG.warning("a change of the price rules cannot be read: %s", error)
            raise errors.NotShown() from error


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """A change that was made.

    :ivar version: of the rules after it; None: there was nothing to change
    :ivar warnings: what may be a mistake, one line each
    """

    version: int | None
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A change that has not been made.

    :ivar close: stored rules and the new end of each
    :ivar add: new rules, with line and validity
    :ivar comment: for the history
    :ivar suspect: what to check for mistakes that are only warned of
    """

    close: tuple[tuple[Rule, datetime.datetime], ...] = ()
    add: tuple[Rule, ...] = ()
    names: NameChange = NO_NAMES
    comment: str | None = None
    suspect: Rule | RuleTarget | None = None

    @property
    def change(self) -> RuleChange:
        """The rules to close and to add."""
        return RuleChange(self.close, self.add, ())


class Editor:
    """Reads rules for the API and changes single ones; several threads may share it.

    :param modules: highest priority first
    :param labels: labels of each metric that rules may look at (:func:`hashmap.rule_labels`);
        empty: metrics.yml cannot be read
    :param metrics_path: path of the metrics.yml with ``labels``
    """

    def __init__(
        self,
        storage: Storage,
        calendar: Calendar,
        modules: Sequence[RatingModule],
        labels: Labels,
        metrics_path: str,
    ) -> None:
        self._storage = storage
        self._calendar = calendar
        self._modules = modules
        self._labels = labels
        self._metrics_path = metrics_path
        self._index: RuleIndex | None = None

    def read(self, now: datetime.datetime) -> RuleIndex:
        """Return what is stored; without a change since the last call, by two queries.

        :raises ratekit.errors.TryLater: the storage did not answer
        """
        store, index = self._storage.rules, self._index
        catalog = store.catalog(None if index is None else index.catalog)
        protected_until = hashmap.find_protected_until(store, self._calendar, now)
        next_period = protected_until or self._calendar.next_due(now)
        if index is None or not index.is_of(catalog, protected_until, next_period):
            self._index = index = RuleIndex(catalog, protected_until, next_period)
        return index

    def make(self, build: Callable[[RuleIndex], Draft], edit: Edit) -> Outcome:
        """Make the change that ``build`` returns; once more if the rules change meanwhile.

        After the change nothing is read that could fail.

        :raises ratekit.errors.StateConflict: rules would overlap, or usage would become free
        :raises ratekit.errors.OutdatedRules: the rules keep changing
        :raises ratekit.errors.OperatorError: as ``build``
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        try:
            return self._make(build, edit)
        except errors.OutdatedRules:
            return self._make(build, edit)

    def _make(self, build: Callable[[RuleIndex], Draft], edit: Edit) -> Outcome:
        index = self.read(edit.now)
        draft = build(index)
        change = draft.change
        if change.empty and draft.names.empty:
            return Outcome(None)
        _require_no_overlap(index, change)
        if not change.empty and not edit.allow_free:
            rule_guards.require_priced(
                index.catalog.book,
                change,
                self._storage,
                self._modules,
                self._calendar.step,
                remedy=_REMEDY,
            )
        fence = index.protected_until
        retroactive = fence is not None and change.since < fence
        note = ChangeNote(edit.now, str(edit.author), draft.comment, retroactive)
        warnings = self._find_warnings(draft.suspect)
        if retroactive and fence is not None:
            warnings += (
                f"periods before {utc_text(fence)} that have been rated keep their prices until "
                "they are reprocessed",
            )
        version = self._storage.rules.change(
            index.catalog.book.version,
            change.close,
            change.add,
            note,
            None if retroactive else hashmap.find_unrated_since(change, fence),
            names=draft.names,
        )
        edit.notify(version)
        return Outcome(version, warnings)

    def _find_warnings(self, suspect: Rule | RuleTarget | None) -> tuple[str, ...]:
        """Return what may be a mistake; a change does not fail because that cannot be read."""
        try:
            if isinstance(suspect, RuleTarget):
                return self._find_target_warnings(suspect)
            return () if suspect is None else self._find_rule_warnings(suspect)
        except errors.TryLater as error:
            LOG.warning("a change of the price rules was %s: %s", _UNCHECKED, error)
            return (_UNCHECKED,)

    def _find_target_warnings(self, target: RuleTarget) -> tuple[str, ...]:
        """Return a warning if no usage has a metric or a label."""
        if not self._labels or _has_target(self._labels, target):
            return ()
        # Only now, because it reads all labels that were ever stored.
        labels = metric_admin.merge_labels(self._labels, self._storage.reports.labels())
        if _has_target(labels, target):
            return ()
        return (rule_warnings.describe_unknown_target(target, self._metrics_path, labels),)

    def _find_rule_warnings(self, rule: Rule) -> tuple[str, ...]:
        """Return what may be a mistake in a new rule."""
        placed = [PlacedRule(rule, None, "")]
        names: Mapping[str, str] = {}
        if rule.terms.scope is not None:
            names = {row.id: row.name for row in self._storage.reports.scopes(ALL_SCOPES)}
        mistakes = [
            *rule_warnings.find_unknown_scopes("", placed, names),
            *rule_warnings.find_off_grid_times("", placed, self._calendar.step),
        ]
        return (
            *self._find_target_warnings(rule.target),
            *(mistake.expected for mistake in mistakes),
        )


def closing_time(index: RuleIndex, rule: Rule) -> datetime.datetime:
    """Return when a change closes a rule that is to end as soon as possible.

    That is the start of the first period that cannot have been rated, or the rule's own start if
    that is later, or if nothing has been rated: it is then as if the rule had never been.
    """
    if index.protected_until is None:
        return rule.terms.start or period.EPOCH
    return max(index.protected_until, succession.start(rule))


def is_closable(index: RuleIndex, rule: Rule) -> bool:
    """Return whether a change can end a rule before its end."""
    return closing_time(index, rule) < succession.end(rule) and not is_withdrawn(rule)


def _has_target(labels: Labels, target: RuleTarget) -> bool:
    return target.metric in labels and (
        target.label is None or target.label in labels[target.metric]
    )


def _require_no_overlap(index: RuleIndex, change: RuleChange) -> None:
    """Refuse a new rule of which another one of the same identity is in force at the same time."""
    additions = {id(rule) for rule in change.add}
    rules = rule_change.apply(index.catalog.book, change).rules
    ever_in_force = (rule for rule in rules if not is_withdrawn(rule))
    for first, second in rule_change.find_overlaps(ever_in_force):
        if id(first) in additions or id(second) in additions:
            stored, new = (second, first) if id(first) in additions else (first, second)
            kind = kind_of(stored)
            place = f" (UUID: {public_id.encode(kind, stored.line)})" if stored.line else ""
            raise errors.StateConflict(
                f"{kind.name.capitalize()} already exists{place}: {describe(new)} overlaps "
                f"{describe(stored)}; only one can be in force at a time"
            )
