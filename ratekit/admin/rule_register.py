"""Price rules as operators see them: in force, scheduled or past, and lines through time."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Sequence

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.rules import public_id, succession
from ratekit.domain.rules.catalog import Catalog, RuleRecord, rule_key
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import MappingRule, Rule


class RuleStage(enum.StrEnum):
    """Whether a rule prices usage at an instant."""

    IN_FORCE = "in force"
    SCHEDULED = "scheduled"  #: it starts later
    PAST = "past"  #: it has ended, or was withdrawn before its start


@dataclasses.dataclass(frozen=True, slots=True)
class RegisteredRule:
    """A stored rule, and who made it.

    :ivar line: public id of its line: of all rules that followed one another in its place
    """

    rule: Rule
    record: RuleRecord
    stage: RuleStage
    line: str


def list_rules(catalog: Catalog, now: datetime.datetime) -> Sequence[RegisteredRule]:
    """Return all rules: those in force, then the scheduled ones, then the past ones.

    Each part is sorted by metric, label, group, value or level, scope, and start; the past ones
    start with the last that ended.
    """
    entries = [_entry(catalog, rule, now) for rule in catalog.book.rules]
    entries.sort(key=_order)
    stages = list(RuleStage)
    return sorted(
        entries, key=lambda entry: (stages.index(entry.stage), -_ending(entry).timestamp())
    )


def list_line(catalog: Catalog, line: str, now: datetime.datetime) -> Sequence[RegisteredRule]:
    """Return the rules of a line, the newest first.

    :param line: its public id
    :raises ratekit.errors.NotFound: there is no such line
    """
    entries = [entry for entry in list_rules(catalog, now) if entry.line == line]
    if not entries:
        raise errors.NotFound(f"no rule {line!r}; see ratekit hashmap history")
    # A rule that was withdrawn before its start has no time of its own: its number tells its place.
    return sorted(
        entries,
        key=lambda entry: (succession.start(entry.rule), entry.rule.id or 0),
        reverse=True,
    )


def _entry(catalog: Catalog, rule: Rule, now: datetime.datetime) -> RegisteredRule:
    if succession.end(rule) <= max(now, succession.start(rule)):
        stage = RuleStage.PAST
    else:
        stage = RuleStage.IN_FORCE if rule.terms.in_force(now) else RuleStage.SCHEDULED
    return RegisteredRule(rule, catalog.records[rule_key(rule)], stage, _line_id(rule))


def _line_id(rule: Rule) -> str:
    kind = IdKind.MAPPING if isinstance(rule, MappingRule) else IdKind.THRESHOLD
    number = rule.id if rule.line is None else rule.line
    assert number is not None, "stored rules have numbers"
    return public_id.encode(kind, number)


def _ending(entry: RegisteredRule) -> datetime.datetime:
    """Return when a past rule ended; others are in no order of their ends."""
    return succession.end(entry.rule) if entry.stage is RuleStage.PAST else period.EPOCH


def _order(entry: RegisteredRule) -> tuple[object, ...]:
    rule, terms = entry.rule, entry.rule.terms
    is_mapping = isinstance(rule, MappingRule)
    return (
        rule.target.metric,
        rule.target.label or "",
        terms.group or "",
        not is_mapping,
        (rule.value or "") if isinstance(rule, MappingRule) else "",
        0 if isinstance(rule, MappingRule) else rule.level,
        terms.scope or "",
        succession.start(rule),
    )
