"""Rows of the two tables of rules, and the rules in them.

The tables have CloudKitty's words: a service is a metric, a field is a label.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.storage.db.types import storable
from ratekit.storage.schema import FIELDS, GROUPS, MAPPINGS, SERVICES, THRESHOLDS

TABLES = (MAPPINGS, THRESHOLDS)


def find_table(rule: Rule) -> sa.Table:
    """Return the table for ``rule``."""
    return MAPPINGS if isinstance(rule, MappingRule) else THRESHOLDS


def select_rules(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    """Return the query for all rules of a table, with the names of service, field and group."""
    service = sa.func.coalesce(table.c.service_id, FIELDS.c.service_id)
    source = (
        table.outerjoin(FIELDS, FIELDS.c.id == table.c.field_id)
        .outerjoin(SERVICES, SERVICES.c.id == service)
        .outerjoin(GROUPS, GROUPS.c.id == table.c.group_id)
    )
    names = (
        SERVICES.c.name.label("service"),
        FIELDS.c.name.label("field"),
        GROUPS.c.name.label("group"),
    )
    return sa.select(table, *names).select_from(source)


def read_rule(row: sa.RowMapping) -> Rule:
    """Return the rule in a row of :func:`select_rules`."""
    target = RuleTarget(row["service"], row["field"])
    terms = Terms(
        cost=row["cost"],
        type=CostType(row["type"]),
        group=row["group"],
        scope=row["scope"],
        start=row["start"],
        end=row["end"],
    )
    line = row["id"] if row["line"] is None else row["line"]
    people = (row["id"], line, row["name"], row["description"])
    if "level" in row:
        return ThresholdRule(target, row["level"], terms, *people)
    value = None if row["matches_null"] else row["value"]
    return MappingRule(target, value, terms, *people)


def write_rule(rule: Rule) -> dict[str, Any]:
    """Return the columns of a new rule, without its target and its group."""
    terms = rule.terms
    return {
        "scope": terms.scope,
        "cost": terms.cost,
        "type": terms.type.value,
        "start": terms.start,
        "end": terms.end,
        "line": rule.line,
        "name": None if rule.name is None else storable(rule.name),
        "description": None if rule.description is None else storable(rule.description),
        **(_mapping_columns(rule) if isinstance(rule, MappingRule) else {"level": rule.level}),
    }


def _mapping_columns(rule: MappingRule) -> dict[str, Any]:
    """Return the columns with a mapping's value; every field's mapping has a text."""
    matches_null = rule.target.label is not None and rule.value is None
    return {"value": "" if matches_null else rule.value, "matches_null": matches_null}
