"""How the price rules came to be what they are, and what they were before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from ratekit.domain import period
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import MappingRule, Rule, RuleBook


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeNote:
    """What is kept of a change beside its rules.

    :ivar made_at: UTC
    :ivar made_by: who made it, for people
    :ivar comment: why, if they said so
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
    """A rule that was given another end.

    :ivar rule: as it was before, with the storage's id
    :ivar end: its new end, UTC
    """

    rule: Rule
    end: datetime.datetime

    def __post_init__(self) -> None:
        period.require_utc(self.end)


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change of the rules, as it was made.

    :ivar version: the book's version after it; the one before is one less
    :ivar made_at: UTC
    :ivar made_by: who made it
    :ivar comment: why, if they said so
    :ivar retroactive: it may have changed prices of periods that had been rated
    :ivar opened: rules as they were added, with the storage's ids
    :ivar closed: rules that were given another end
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
        """First instant whose rules it changed, UTC; None: none, or from the beginning on."""
        moments = [succession.start(rule) for rule in self.opened if _lasts(rule)]
        moments += [
            min(one.end, succession.end(one.rule)) for one in self.closed if _lasts(one.rule)
        ]
        earliest = min(moments, default=period.BEGINNING)
        return None if earliest == period.BEGINNING else earliest


def earlier_books(book: RuleBook, records: Sequence[ChangeRecord]) -> Iterator[RuleBook]:
    """Yield the book as it was before the newest change, before the one before that, and so on.

    It ends where the records end, or one is missing. Records of changes that ``book`` does
    not have yet are passed over.

    :param records: newest first
    """
    for record in records:
        if record.version > book.version:
            continue
        if record.version < book.version:
            return
        book = _undone(book, record)
        yield book


def _undone(book: RuleBook, record: ChangeRecord) -> RuleBook:
    opened = {_key(rule) for rule in record.opened}
    before = {_key(one.rule): one.rule for one in record.closed}
    rules = tuple(before.get(key, rule) for rule in book.rules if (key := _key(rule)) not in opened)
    return RuleBook(record.version - 1, rules)


def _key(rule: Rule) -> tuple[bool, int | None]:
    """Return what tells a stored rule from all others: mappings and thresholds count apart."""
    return isinstance(rule, MappingRule), rule.id


def _lasts(rule: Rule) -> bool:
    """Tell whether a rule is in force at any time."""
    return succession.start(rule) < succession.end(rule)
