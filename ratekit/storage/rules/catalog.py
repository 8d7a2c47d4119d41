"""All rules with who opened and closed each of them, and all names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ratekit.domain.rules.catalog import Catalog, RuleKey, RuleRecord, Signature, rule_key
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.storage.rules import history, names
from ratekit.storage.rules import rows as rule_rows
from ratekit.storage.schema import CHANGE_LINES, CHANGES


def read(connection: sa.Connection, version: int) -> Catalog:
    """Return the catalog at the version that the transaction sees."""
    signatures = _signatures(connection)
    openings, closings = _makers(connection, signatures)
    rules: list[Rule] = []
    records = {}
    for table in rule_rows.TABLES:
        query = rule_rows.select_rules(table).order_by(table.c.id)
        for row in connection.execute(query).mappings():
            rule = rule_rows.read_rule(row)
            key = rule_key(rule)
            rules.append(rule)
            records[key] = RuleRecord(
                row["created_at"], row["closed_at"], openings.get(key), closings.get(key)
            )
    return Catalog(RuleBook(version, tuple(rules)), *names.read(connection), records)


def _signatures(connection: sa.Connection) -> dict[int, Signature]:
    query = sa.select(CHANGES.c.version, CHANGES.c.made_at, CHANGES.c.made_by)
    return {row.version: Signature(*row) for row in connection.execute(query)}


_Makers = dict[RuleKey, Signature]


def _makers(connection: sa.Connection, signatures: dict[int, Signature]) -> tuple[_Makers, _Makers]:
    """Return who opened each rule, and who was the last to close it."""
    line = CHANGE_LINES.c
    query = sa.select(line.version, line.action, line.mapping_id, line.threshold_id)
    makers: dict[Any, _Makers] = {history.OPEN: {}, history.CLOSE: {}}
    for version, action, mapping_id, threshold_id in connection.execute(query.order_by(line.id)):
        key = (False, mapping_id) if threshold_id is None else (True, threshold_id)
        makers[action][key] = signatures[version]
    return makers[history.OPEN], makers[history.CLOSE]
