"""Plans of a change: which rules to close and to add so that the price rules are as desired."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import Rule, RuleBook, RuleTarget, ThresholdRule
from ratekit.domain.rules.succession import Horizon, Succession
from ratekit.text import number_text, utc_text

#: How a null label is written, which is no text.
NULL = "null"

#: Of the rules with one identity, at most one is in force at any instant.
Identity = tuple[RuleTarget, str | Decimal | None, str | None, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class RuleChange:
    """The difference between a rule book and the desired rules.

    :ivar close: stored rules and the new end of each; a rule that ends at its own start is
        never in force
    :ivar add: new rules, with the validity to store
    :ivar keep: stored rules that stay as they are
    :ivar scheduled: stored rules with the scheduled start or end of each, which stays
    """

    close: tuple[tuple[Rule, datetime.datetime], ...]
    add: tuple[Rule, ...]
    keep: tuple[Rule, ...]
    scheduled: tuple[tuple[Rule, datetime.datetime], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing has to be closed or added."""
        return not self.close and not self.add

    @property
    def since(self) -> datetime.datetime:
        """First instant at which prices change; :data:`period.FOREVER` if none do."""
        moments = [end for _, end in self.close] + [succession.start(rule) for rule in self.add]
        return min(moments, default=period.FOREVER)


def identity(rule: Rule) -> Identity:
    """Return the key by which ``rule`` differs from all rules in force at the same time."""
    return (rule.target, _value_or_level(rule), rule.terms.group, rule.terms.scope)


def describe(rule: Rule) -> str:
    """Return ``rule`` in one line: ``instance.flavor=m1 flat 0.02 group uptime``."""
    place = _quote(rule.target.metric)
    if rule.target.label is not None:
        place += f".{_quote(rule.target.label)}"
    if isinstance(rule, ThresholdRule):
        place += f">={number_text(rule.level)}"
    elif rule.target.label is not None:
        place += f"={NULL if rule.value is None else _quote(rule.value)}"
    terms = rule.terms
    words = [place, terms.type.value, number_text(terms.cost)]
    for name, word in (("group", terms.group), ("scope", terms.scope)):
        if word is not None:
            words += [name, _quote(word)]
    for name, instant in (("from", terms.start), ("until", terms.end)):
        if instant is not None:
            words += [name, utc_text(instant)]
    return " ".join(words)


def find_overlaps(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Yield pairs of one identity that are in force at the same time, the later start second."""
    for same_identity in _group_by_identity(rules).values():
        latest: Rule | None = None
        for rule in same_identity:
            if latest is not None and succession.start(rule) < succession.end(latest):
                yield latest, rule
            if latest is None or succession.end(rule) > succession.end(latest):
                latest = rule


def plan(book: RuleBook, desired: Collection[Rule], horizon: Horizon) -> RuleChange:
    """Return the change that turns ``book`` into ``desired`` from ``horizon.at`` on.

    ``desired`` is the whole state: a rule without an end that it lacks is closed. A desired
    rule without a start continues the stored rule of equal identity that is in force at that
    time; one with a start is in force from then on. Rules that ended before stay unless a
    desired rule says otherwise. What is scheduled after ``horizon.scheduled_after`` stays so
    where it leads to ``desired``. A plan made after the change is empty.

    :raises ratekit.errors.OperatorError: with every rule that would change protected prices,
        ends before it starts, or overlaps another
    """
    mistakes = [
        f"{describe(rule)}: ends before it starts"
        for rule in desired
        if succession.start(rule) >= succession.end(rule)
    ]
    mistakes += [
        f"{describe(second)}: overlaps {describe(first)}; only one can be in force at a time"
        for first, second in find_overlaps(desired)
    ]
    if mistakes:
        raise errors.OperatorError(*mistakes)
    before, after = _group_by_identity(book.rules), _group_by_identity(desired)
    successions = [
        succession.reconcile(before.get(key, ()), after.get(key, ()), horizon)
        for key in {**before, **after}
    ]
    mistakes = [line for each in successions for line in _describe_mistakes(each, horizon)]
    if mistakes:
        raise errors.OperatorError(*mistakes)
    return RuleChange(
        tuple(closing for each in successions for closing in each.close),
        tuple(rule for each in successions for rule in each.add),
        tuple(rule for each in successions for rule in each.keep),
        tuple(entry for each in successions for entry in each.scheduled),
    )


def apply(book: RuleBook, change: RuleChange) -> RuleBook:
    """Return the book that a storage will hold after ``change``; new rules have no id yet."""
    ends = {id(rule): end for rule, end in change.close}
    rules = [
        dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=ends[id(rule)]))
        if id(rule) in ends
        else rule
        for rule in book.rules
    ]
    return RuleBook(book.version + 1, (*rules, *change.add))


def _describe_mistakes(changes: Succession, horizon: Horizon) -> Iterator[str]:
    for rule in changes.expired_rules:
        yield (
            f"{describe(rule)}: has no start, and no stored rule with this price is in force "
            f"until then: it would start at {utc_text(horizon.at)}, not before its end; give it "
            "a start"
        )
    boundary = utc_text(horizon.protected_until or horizon.at)
    for rule in changes.violations:
        yield (
            f"{describe(rule)}: would change prices before {boundary}, which are final; choose a "
            "start and an end at or after that time, remove the start, or use --retroactive"
        )


def _value_or_level(rule: Rule) -> str | Decimal | None:
    return rule.level if isinstance(rule, ThresholdRule) else rule.value


def _quote(text: str) -> str:
    is_plain = text.isprintable() and text and " " not in text and text != NULL
    return text if is_plain else repr(text)


def _group_by_identity(rules: Iterable[Rule]) -> dict[Identity, Sequence[Rule]]:
    """Group rules by identity and sort each group by start."""
    groups: dict[Identity, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(identity(rule), []).append(rule)
    for group in groups.values():
        group.sort(key=succession.start)
    return dict(groups)
