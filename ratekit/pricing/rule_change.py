"""What must be closed and opened so that the price rules become what an operator wants."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.rules import rule as rules
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.rules.succession import Horizon, Succession
from ratekit.text import number_text, utc_text

#: Rules with equal identities replace one another; at any instant one of them is in force.
Identity = tuple[rules.RuleTarget, str | Decimal | None, str | None, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class RuleChange:
    """One step from a rule book to the rules that are desired.

    :ivar close: stored rules and the end each gets; a rule that ends at its own start was
        never in force
    :ivar add: new rules, with the validity to store
    :ivar keep: stored rules that go on as they are
    """

    close: tuple[tuple[Rule, datetime.datetime], ...]
    add: tuple[Rule, ...]
    keep: tuple[Rule, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.close and not self.add

    @property
    def since(self) -> datetime.datetime:
        """First instant whose prices change; the end of all time where none does."""
        moments = [end for _, end in self.close] + [succession.start(rule) for rule in self.add]
        return min(moments, default=period.FOREVER)


def identity(rule: Rule) -> Identity:
    """Return what tells ``rule`` from all rules that can be in force beside it."""
    return (rule.target, _mark(rule), rule.terms.group, rule.terms.scope)


def describe(rule: Rule) -> str:
    """Return ``rule`` in one line: ``instance.flavor=m1 flat 0.02 group uptime``."""
    place = _word(rule.target.metric)
    if rule.target.label is not None:
        place += f".{_word(rule.target.label)}"
    if isinstance(rule, rules.ThresholdRule):
        place += f">={number_text(rule.level)}"
    elif rule.value is not None:
        place += f"={_word(rule.value)}"
    terms = rule.terms
    words = [place, terms.type.value, number_text(terms.cost)]
    for name, word in (("group", terms.group), ("scope", terms.scope)):
        if word is not None:
            words += [name, _word(word)]
    for name, instant in (("from", terms.start), ("until", terms.end)):
        if instant is not None:
            words += [name, utc_text(instant)]
    return " ".join(words)


def overlapping(members: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Yield pairs of equal identity that are in force together, the later one second."""
    for own in _by_identity(members).values():
        latest: Rule | None = None
        for rule in own:
            if latest is not None and succession.start(rule) < succession.end(latest):
                yield latest, rule
            if latest is None or succession.end(rule) > succession.end(latest):
                latest = rule


def plan(book: RuleBook, desired: Collection[Rule], horizon: Horizon) -> RuleChange:
    """Return what turns ``book`` into ``desired`` from ``horizon.at`` on.

    ``desired`` is the whole state: an open rule that it lacks is closed. A desired rule
    without start goes on with the stored rule of equal identity that is in force at that
    time; one with a start holds from then on. What ended before is left alone unless a
    desired rule says otherwise, and planning again after the change finds nothing to do.

    :raises ratekit.errors.OperatorError: with every rule that would change history beyond
        the horizon, ends before it starts, or overlaps another
    """
    refusals = [
        f"{describe(rule)}: ends before it starts"
        for rule in desired
        if succession.start(rule) >= succession.end(rule)
    ]
    refusals += [
        f"{describe(second)}: is in force together with {describe(first)}"
        for first, second in overlapping(desired)
    ]
    if refusals:
        raise errors.OperatorError("\n".join(refusals))
    stored, wanted = _by_identity(book.rules), _by_identity(desired)
    settled = [
        succession.settle(stored.get(key, ()), wanted.get(key, ()), horizon)
        for key in {**stored, **wanted}
    ]
    refusals = [line for one in settled for line in _refusals(one, horizon)]
    if refusals:
        raise errors.OperatorError("\n".join(refusals))
    return RuleChange(
        tuple(closing for one in settled for closing in one.close),
        tuple(rule for one in settled for rule in one.add),
        tuple(rule for one in settled for rule in one.keep),
    )


def applied(book: RuleBook, change: RuleChange) -> RuleBook:
    """Return the book that a storage will hold after ``change``, but for new rules' ids."""
    ends = {id(rule): end for rule, end in change.close}
    rules = [
        dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=ends[id(rule)]))
        if id(rule) in ends
        else rule
        for rule in book.rules
    ]
    return RuleBook(book.version + 1, (*rules, *change.add))


def _refusals(settled: Succession, horizon: Horizon) -> Iterator[str]:
    for rule in settled.void:
        yield (
            f"{describe(rule)}: without a start it would begin at {utc_text(horizon.at)}, and "
            "by then it has ended: no such rule was in force; give it a start"
        )
    for rule in settled.refused:
        yield (
            f"{describe(rule)}: would change prices from before "
            f"{utc_text(horizon.fence or horizon.at)}, which is history: let it start and end "
            "then or later, give it no start, or say --retroactive"
        )


def _mark(rule: Rule) -> str | Decimal | None:
    return rule.level if isinstance(rule, rules.ThresholdRule) else rule.value


def _word(text: str) -> str:
    return text if text.isprintable() and text and " " not in text else repr(text)


def _by_identity(members: Iterable[Rule]) -> dict[Identity, Sequence[Rule]]:
    """Group rules by identity and sort each group by start."""
    found: dict[Identity, list[Rule]] = {}
    for rule in members:
        found.setdefault(identity(rule), []).append(rule)
    for own in found.values():
        own.sort(key=succession.start)
    return dict(found)
