"""The changes of the price rules, and the rules before each of them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from ratekit.domain import period
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import MappingRule, Rule, RuleBook


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeNote:
    """Who made a change of the rules, when and why.

    :ivar made_at: UTC
    :ivar made_by: name of the operator, for people
    :ivar comment: the reason, if one was given
    :ivar retroactive: it may change prices of periods that had been rated
    """

    made_at: datetime.datetime
    made_by: str
    comment: str | None = None
    retroactive: bool = False

    def __post_init__(self) -> None:
        period.require_utc(self.made_at)


@dataclasses.dataclass(frozen=True, slots=True)
class Closing:
    """A rule and the new end that a change gave it.

    :ivar rule: as it was before the change, with the storage's id
    :ivar end: its new end, UTC
    """

    rule: Rule
    end: datetime.datetime

    def __post_init__(self) -> None:
        period.require_utc(self.end)


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change of the rules, as it was made.

    :ivar version: the book's version after it; before it, the version was one less
    :ivar made_at: UTC
    :ivar made_by: name of the operator
    :ivar comment: the reason, if one was given
    :ivar retroactive: it may have changed prices of periods that had been rated
    :ivar opened: rules as they were added, with the storage's ids
    :ivar closed: rules whose end was changed
    """

    version: int
    made_at: datetime.datetime
    made_by: str
    comment: str | None
    retroactive: bool
    opened: tuple[Rule, ...]
    closed: tuple[Closing, ...]

    @property
    def since(self) -> datetime.datetime | None:
        """First instant at which it changed the rules, UTC; None: none, or since ever."""
        moments = [succession.start(rule) for rule in self.opened if _is_ever_in_force(rule)]
        moments += [
            min(closing.end, succession.end(closing.rule))
            for closing in self.closed
            if _is_ever_in_force(closing.rule)
        ]
        earliest = min(moments, default=period.BEGINNING)
        return None if earliest == period.BEGINNING else earliest


def earlier_books(book: RuleBook, records: Sequence[ChangeRecord]) -> Iterator[RuleBook]:
    """Yield the book before the newest change, before the change before that, and so on.

    Stop where the records end or one is missing. Skip records of changes that are newer than
    ``book``.

    :param records: newest first
    """
    for record in records:
        if record.version > book.version:
            continue
        if record.version < book.version:
            return
        book = _undo(book, record)
        yield book


def _undo(book: RuleBook, record: ChangeRecord) -> RuleBook:
    opened = {_key(rule) for rule in record.opened}
    before = {_key(closing.rule): closing.rule for closing in record.closed}
    rules = tuple(before.get(key, rule) for rule in book.rules if (key := _key(rule)) not in opened)
    return RuleBook(record.version - 1, rules)


def _key(rule: Rule) -> tuple[bool, int | None]:
    """Return a stored rule's unique key: mappings and thresholds have ids of their own."""
    return isinstance(rule, MappingRule), rule.id


def _is_ever_in_force(rule: Rule) -> bool:
    return succession.start(rule) < succession.end(rule)
