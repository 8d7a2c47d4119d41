"""The prices that hold for one project: from when to when, and for which usage."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import ZERO
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import Rule, RuleBook, ThresholdRule

_INSTANT = datetime.timedelta(microseconds=1)


class Validity(enum.StrEnum):
    """Whether a price is in force."""

    NOW = "now"
    SCHEDULED = "scheduled"
    PAST = "past"


@dataclasses.dataclass(frozen=True, slots=True)
class PriceEntry:
    """A rule that applies to the project where usage meets its condition.

    :ivar validity: at the time of the sheet
    :ivar ceiling: of a threshold: the next higher level, from which on another one takes its
        place; None: there is none. As of the time of the sheet, or of the nearest instant at which
        the rule is in force
    :ivar replaced: at that instant a rule of the project's own takes its place
    """

    rule: Rule
    validity: Validity
    ceiling: Decimal | None = None
    replaced: bool = False

    @property
    def special(self) -> bool:
        """Whether it is for this project alone."""
        return self.rule.terms.scope is not None


def build(book: RuleBook, scope: str, now: datetime.datetime) -> Mapping[str, Sequence[PriceEntry]]:
    """Return the prices for a project by metric: those in force, the scheduled, the past.

    Rules of other projects are left out, and so are metrics that only they name. Rules that were
    withdrawn before they started have never held, and are left out, too.

    :param scope: ID of the project; :data:`ratekit.admin.quote.NO_SCOPE`: what holds for all
    :param now: UTC
    """
    rules: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in book.rules:
        has_held = succession.start(rule) < succession.end(rule)
        if has_held and rule.terms.scope in (None, scope or None):
            rules[rule.target.metric].append(rule)
    return {metric: _Sheet(rules[metric], now).entries() for metric in sorted(rules)}


class _Sheet:
    """The prices of one metric."""

    def __init__(self, rules: Iterable[Rule], now: datetime.datetime) -> None:
        self._rules = sorted(rules, key=_order)
        self._now = now
        self._special: defaultdict[object, list[Rule]] = defaultdict(list)
        self._ladders: defaultdict[object, list[ThresholdRule]] = defaultdict(list)
        for rule in self._rules:
            if rule.terms.scope is not None:
                self._special[_place(rule)].append(rule)
            if isinstance(rule, ThresholdRule):
                self._ladders[rule.target, rule.terms.group].append(rule)

    def entries(self) -> Sequence[PriceEntry]:
        """Return them, those in force first."""
        order = list(Validity)
        entries = map(self._entry, self._rules)
        return sorted(entries, key=lambda entry: order.index(entry.validity))

    def _entry(self, rule: Rule) -> PriceEntry:
        start, end = succession.start(rule), succession.end(rule)
        validity, instant = Validity.NOW, self._now
        if self._now < start:
            validity, instant = Validity.SCHEDULED, start
        elif end <= self._now:
            validity, instant = Validity.PAST, end - _INSTANT
        ceiling = None
        if isinstance(rule, ThresholdRule):
            ladder = self._ladders[rule.target, rule.terms.group]
            higher = (other for other in ladder if other.level > rule.level)
            levels = (other.level for other in higher if other.terms.in_force(instant))
            ceiling = min(levels, default=None)
        replaced = rule.terms.scope is None and any(
            other.terms.in_force(instant) for other in self._special.get(_place(rule), ())
        )
        return PriceEntry(rule, validity, ceiling, replaced)


def _place(rule: Rule) -> object:
    """Return what a project's own rule has in common with the general one that it replaces."""
    is_threshold = isinstance(rule, ThresholdRule)
    criterion = rule.level if isinstance(rule, ThresholdRule) else rule.value
    return rule.target, is_threshold, criterion, rule.terms.group


def _order(rule: Rule) -> tuple[object, ...]:
    is_threshold = isinstance(rule, ThresholdRule)
    value, level = None, ZERO
    if isinstance(rule, ThresholdRule):
        level = rule.level
    else:
        value = rule.value
    terms = rule.terms
    place = (terms.group or "", is_threshold, rule.target.label or "", value or "", level)
    return (*place, succession.start(rule), terms.scope or "")
