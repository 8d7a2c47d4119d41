"""The history of the rules: ``hashmap_changes`` and its lines."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from ratekit.domain.rules.history import ChangeNote, ChangeRecord, Closing
from ratekit.domain.rules.rule import Rule
from ratekit.storage.db.types import storable
from ratekit.storage.rules import rows as rule_rows
from ratekit.storage.schema import CHANGE_LINES, CHANGES, MAPPINGS, THRESHOLDS

OPEN = "open"
CLOSE = "close"
#: Which column of a line holds the id of a rule.
_REFERENCES = ((MAPPINGS, CHANGE_LINES.c.mapping_id), (THRESHOLDS, CHANGE_LINES.c.threshold_id))

#: Highest id in each table of rules.
HighestIds = Mapping[sa.Table, int]


def write_change(connection: sa.Connection, version: int, note: ChangeNote) -> None:
    """Record a change, without its lines."""
    comment = note.comment
    row = {
        "version": version,
        "made_at": note.made_at,
        "made_by": storable(note.made_by),
        "comment": None if comment is None else storable(comment),
        "retroactive": note.retroactive,
    }
    connection.execute(CHANGES.insert(), row)


def write_closed(
    connection: sa.Connection, version: int, close: Collection[tuple[Rule, datetime.datetime]]
) -> None:
    """Record the old and the new ends of rules."""
    for table, reference in _REFERENCES:
        rows = [
            {
                "version": version,
                "action": CLOSE,
                reference.name: rule.id,
                "old_end": rule.terms.end,
                "new_end": end,
            }
            for rule, end in close
            if rule_rows.find_table(rule) is table
        ]
        if rows:
            connection.execute(CHANGE_LINES.insert(), rows)


def read_highest_ids(connection: sa.Connection) -> HighestIds:
    """Return the highest ids so far; rules that are added later get higher ones."""
    return {
        table: connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
        for table in rule_rows.TABLES
    }


def write_opened(connection: sa.Connection, version: int, before: HighestIds) -> None:
    """Record the rules added since ``before``: the version's lock excludes all other writers."""
    columns = ("version", "action", "new_end")
    for table, reference in _REFERENCES:
        new_rules = sa.select(
            sa.literal(version), sa.literal(OPEN), table.c.end, table.c.id
        ).where(table.c.id > before[table])  # fmt: skip
        names = [*columns, reference.name]
        connection.execute(CHANGE_LINES.insert().from_select(names, new_rules.order_by(table.c.id)))


def read(connection: sa.Connection, limit: int | None) -> Sequence[ChangeRecord]:
    """Return the newest changes, newest first."""
    query = sa.select(CHANGES).order_by(CHANGES.c.version.desc()).limit(limit)
    changes = connection.execute(query).mappings().all()
    opened: dict[int, list[Rule]] = {}
    closed: dict[int, list[Closing]] = {}
    for row in _lines(connection, changes[-1]["version"]) if changes else ():
        rule = rule_rows.read_rule(row)
        if row["action"] == OPEN:
            opened.setdefault(row["changed"], []).append(_with_end(rule, row["new_end"]))
        else:
            closing = Closing(_with_end(rule, row["old_end"]), row["new_end"])
            closed.setdefault(row["changed"], []).append(closing)
    return [
        ChangeRecord(
            **row,
            opened=tuple(opened.get(row["version"], ())),
            closed=tuple(closed.get(row["version"], ())),
        )
        for row in changes
    ]


def _lines(connection: sa.Connection, since: int) -> Sequence[sa.RowMapping]:
    """Return the lines of all changes since a version, each with the current row of its rule."""
    lines: list[sa.RowMapping] = []
    line = CHANGE_LINES.c
    for table, reference in _REFERENCES:
        query = (
            rule_rows.select_rules(table)
            .join(CHANGE_LINES, reference == table.c.id)
            .add_columns(line.version.label("changed"), line.action, line.old_end, line.new_end)
            .where(line.version >= since)
            .order_by(line.id)
        )
        lines += connection.execute(query).mappings()
    return lines


def _with_end(rule: Rule, end: datetime.datetime | None) -> Rule:
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=end))
