"""What must be closed and opened so that the price rules become what an operator wants."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain import rules
from ratekit.domain.rules import Rule, RuleBook

#: Rules with equal identities replace one another; at any instant one of them is in force.
Identity = tuple[rules.Parent, str | Decimal | None, str | None, str | None]

_BEGINNING = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


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


def identity(rule: Rule) -> Identity:
    """Return what tells ``rule`` from all rules that can be in force beside it."""
    return (rule.parent, _mark(rule), rule.terms.group, rule.terms.scope)


def describe(rule: Rule) -> str:
    """Return ``rule`` in one line: ``instance.flavor=m1 flat 0.02 group uptime``."""
    place = _word(rule.parent.service)
    if rule.parent.field is not None:
        place += f".{_word(rule.parent.field)}"
    if isinstance(rule, rules.Threshold):
        place += f">={plain(rule.level)}"
    elif rule.value is not None:
        place += f"={_word(rule.value)}"
    terms = rule.terms
    words = [place, terms.type.value, plain(terms.cost)]
    for name, word in (("group", terms.group), ("scope", terms.scope)):
        if word is not None:
            words += [name, _word(word)]
    for name, instant in (("from", terms.start), ("until", terms.end)):
        if instant is not None:
            words += [name, utc_text(instant)]
    return " ".join(words)


def plain(number: Decimal) -> str:
    """Write a number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00:00Z``."""
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat() + "Z"


def overlapping(members: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Yield pairs of equal identity that are in force together, the later one second."""
    for own in _by_identity(members).values():
        latest: Rule | None = None
        for rule in own:
            if latest is not None and _start(rule) < _end(latest):
                yield latest, rule
            if latest is None or _end(rule) > _end(latest):
                latest = rule


def plan(
    book: RuleBook, desired: Collection[Rule], at: datetime.datetime, open_left: bool
) -> RuleChange:
    """Return what turns ``book`` into ``desired`` from ``at`` on.

    ``desired`` is the whole state: an open rule that it lacks is closed. A desired rule
    without start goes on with the stored rule of equal identity that is in force at ``at``;
    one with a start is the stored rule that starts then. What ended before ``at`` is left
    alone, and planning again after the change finds nothing to do.

    :param at: first instant for which nothing has been rated, UTC
    :param open_left: nothing has been rated yet; a new rule without start reaches back for
        ever, and one with a start may start before ``at``
    :raises ratekit.errors.OperatorError: with every rule that would change history, ends
        before it starts, or overlaps another
    """
    refusals = [
        f"{describe(rule)}: ends before it starts" for rule in desired if _start(rule) >= _end(rule)
    ]
    refusals += [
        f"{describe(second)}: is in force together with {describe(first)}"
        for first, second in overlapping(desired)
    ]
    if refusals:
        raise errors.OperatorError("\n".join(refusals))
    stored, wanted = _by_identity(book.rules), _by_identity(desired)
    planner = _Planner(at, open_left)
    for key in {**stored, **wanted}:
        planner.settle(stored.get(key, ()), wanted.get(key, ()))
    return planner.change()


def _mark(rule: Rule) -> str | Decimal | None:
    return rule.level if isinstance(rule, rules.Threshold) else rule.value


def _word(text: str) -> str:
    return text if text.isprintable() and text and " " not in text else repr(text)


def _start(rule: Rule) -> datetime.datetime:
    return rule.terms.start or _BEGINNING


def _end(rule: Rule) -> datetime.datetime:
    return rule.terms.end or _FOREVER


def _by_identity(members: Iterable[Rule]) -> dict[Identity, Sequence[Rule]]:
    """Group rules by identity and sort each group by start."""
    found: dict[Identity, list[Rule]] = {}
    for rule in members:
        found.setdefault(identity(rule), []).append(rule)
    for own in found.values():
        own.sort(key=_start)
    return dict(found)


def _moved(rule: Rule, start: datetime.datetime | None, end: datetime.datetime | None) -> Rule:
    terms = dataclasses.replace(rule.terms, start=start, end=end)
    return dataclasses.replace(rule, terms=terms, id=None)


def _same_price(one: Rule, other: Rule) -> bool:
    return (one.terms.cost, one.terms.type) == (other.terms.cost, other.terms.type)


class _Planner:
    """Settles one identity after the other and collects what comes of it."""

    def __init__(self, at: datetime.datetime, open_left: bool) -> None:
        self._at = at
        self._open_left = open_left
        self._close: list[tuple[Rule, datetime.datetime]] = []
        self._add: list[Rule] = []
        self._keep: list[Rule] = []
        self._refusals: list[str] = []

    def change(self) -> RuleChange:
        """Return what was collected.

        :raises ratekit.errors.OperatorError: something was refused
        """
        if self._refusals:
            raise errors.OperatorError("\n".join(self._refusals))
        return RuleChange(tuple(self._close), tuple(self._add), tuple(self._keep))

    def settle(self, stored: Sequence[Rule], wanted: Sequence[Rule]) -> None:
        """Plan for one identity; both sides are sorted by start."""
        closed, added = len(self._close), len(self._add)
        valid = rest = [rule for rule in stored if _start(rule) < _end(rule)]
        for rule in wanted:
            partners = self._partners(rule, rest)
            if not partners:
                self._open(rule, rest)
            elif not _same_price(rule, partners[0]):
                self._replace(rule, partners[0])
            else:
                self._go_on(rule, partners)
            rest = [one for one in rest if one not in partners]
        for rule in rest:
            if _end(rule) > self._at:
                self._close.append((rule, self._last_moment(rule, self._add[added:])))
        self._refuse_overlaps(valid, dict(self._close[closed:]), self._add[added:])

    def _partners(self, rule: Rule, stored: Sequence[Rule]) -> list[Rule]:
        """Return the stored rule that ``rule`` is, and those that go on with its price."""
        if rule.terms.start is not None:
            found = [one for one in stored if one.terms.start == rule.terms.start]
        elif _end(rule) > self._at:
            found = [one for one in stored if one.terms.in_force(self._at)]
        else:
            found = [one for one in stored if _start(one) < _end(rule) <= _end(one)]
        if found and _same_price(rule, found[0]):
            for one in stored:
                if _start(one) == _end(found[-1]) < _end(rule) and _same_price(rule, one):
                    found.append(one)
        return found

    def _open(self, rule: Rule, stored: Sequence[Rule]) -> None:
        start = rule.terms.start
        if start is None:
            before = min(self._at, _end(rule))
            alone = not any(_start(one) < before for one in stored)
            start = None if self._open_left and alone else self._at
        elif start < self._at and not self._open_left:
            return self._refuse(rule)
        if start is not None and start >= _end(rule):
            return self._refuse(rule)
        self._add.append(_moved(rule, start, rule.terms.end))

    def _replace(self, rule: Rule, old: Rule) -> None:
        """Give another price to what ``old`` is."""
        ended = _end(old) <= self._at
        if rule.terms.start is None:
            if ended or _end(rule) <= self._at:
                return self._refuse(rule)
            self._close.append((old, self._at))
            self._add.append(_moved(rule, self._at, rule.terms.end))
        elif rule.terms.start >= self._at or (self._open_left and not ended):
            self._close.append((old, rule.terms.start))
            self._add.append(_moved(rule, rule.terms.start, rule.terms.end))
        else:
            self._refuse(rule)

    def _go_on(self, rule: Rule, partners: Sequence[Rule]) -> None:
        """Leave the price as it is and move the end where it has changed."""
        *others, last = partners
        old, new = _end(last), _end(rule)
        if old == new:
            others.append(last)
        elif new < old:
            if new < self._at and (old <= self._at or not self._open_left):
                return self._refuse(rule)
            self._close.append((last, new))
        elif old > self._at:
            start = max(self._at, _start(last))
            self._close.append((last, start))
            self._add.append(_moved(rule, start, rule.terms.end))
        elif old == self._at or self._open_left:
            self._add.append(_moved(rule, last.terms.end, rule.terms.end))
        else:
            return self._refuse(rule)
        self._keep += [one for one in others if _end(one) > self._at]

    def _last_moment(self, rule: Rule, added: Iterable[Rule]) -> datetime.datetime:
        """Return the end of a stored rule that nobody wants any more."""
        moment = max(self._at, _start(rule))
        for one in added:
            # Only while nothing has been rated can a new rule start before ``at``.
            if _start(one) < _end(rule) and _start(rule) < _end(one):
                moment = min(moment, max(_start(rule), _start(one)))
        return moment

    def _refuse_overlaps(
        self, stored: Iterable[Rule], ends: Mapping[Rule, datetime.datetime], added: Iterable[Rule]
    ) -> None:
        """Refuse new rules that overlap what stands: only history can be in their way."""
        standing = [
            _moved(rule, rule.terms.start, ends.get(rule, rule.terms.end)) for rule in stored
        ]
        for rule in added:
            # A rule that was closed at its own start takes no room.
            if any(
                _start(one) < min(_end(one), _end(rule)) and _start(rule) < _end(one)
                for one in standing
            ):
                self._refuse(rule)

    def _refuse(self, rule: Rule) -> None:
        self._refusals.append(
            f"{describe(rule)}: would change prices from before {utc_text(self._at)}, and history "
            "is never rewritten: let it start and end then or later, or give it no start"
        )
