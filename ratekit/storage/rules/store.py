"""Price rules and their history: the ``hashmap_*`` tables."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import MappingRule, Rule, RuleBook
from ratekit.interfaces import RuleStore
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.engine import Database
from ratekit.storage.rules import history
from ratekit.storage.rules import rows as rule_rows
from ratekit.storage.rules import version as versions
from ratekit.storage.schema import FIELDS, GROUPS, SCOPES, SERVICES

#: How often a change of the rules is tried while commits of frames are in its way.
_ATTEMPTS = 20


class SqlRules(RuleStore):
    """Stores rules; a rule is closed, but never changed or deleted otherwise.

    :param database: at the newest revision
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, last_book: RuleBook | None = None) -> RuleBook:
        """Return all rules, by three queries, or ``last_book``, by one, if nothing has changed."""
        with self._database.reading() as connection:
            version = versions.read(connection)
            if last_book is not None and last_book.version == version:
                return last_book
            rules = [
                rule_rows.read_rule(row)
                for table in rule_rows.TABLES
                for row in connection.execute(
                    rule_rows.select_rules(table).order_by(table.c.id)
                ).mappings()
            ]
        return RuleBook(version, tuple(rules))

    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        require_unrated: bool = False,
    ) -> int:
        """Close and add rules and record it, in one transaction; commits of frames wait for it.

        :raises ValueError: a rule to close is not stored
        """
        for _ in range(_ATTEMPTS - 1):
            # On a Galera cluster a commit of frames that was first ends the change.
            with contextlib.suppress(errors.Conflict):
                return self._change(version, close, add, note, require_unrated)
        return self._change(version, close, add, note, require_unrated)

    def _change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        require_unrated: bool,
    ) -> int:
        with self._database.writing() as connection:
            # First, because it locks the rules for all other writers.
            new_version = versions.advance(connection, version)
            if require_unrated and _read_last_rated_end(connection) is not None:
                raise errors.OperatorError(
                    "usage has been rated since the change was planned; nothing was written: "
                    "repeat the command"
                )
            history.write_change(connection, new_version, note)
            _close(connection, close, note.made_at)
            history.write_closed(connection, new_version, close)
            before = history.read_highest_ids(connection)
            _add(connection, add, note.made_at)
            history.write_opened(connection, new_version, before)
        return new_version

    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        """Return the changes, newest first, by three queries."""
        with self._database.reading() as connection:
            return history.read(connection, limit)

    def last_rated_end(self) -> datetime.datetime | None:
        """Return the end of the last period that was rated for any scope, active or not.

        Each commit records it, for silent scopes too. The time at which a scope starts or resumes
        does not count.
        """
        with self._database.reading() as connection:
            return _read_last_rated_end(connection)


def _read_last_rated_end(connection: sa.Connection) -> datetime.datetime | None:
    query = sa.select(sa.func.max(SCOPES.c.last_rated))
    end: datetime.datetime | None = connection.execute(query).scalar()
    return end


def _close(
    connection: sa.Connection,
    close: Collection[tuple[Rule, datetime.datetime]],
    now: datetime.datetime,
) -> None:
    if any(rule.id is None for rule, _ in close):
        raise ValueError("only a rule that was read from the store can be closed")
    for table in rule_rows.TABLES:
        statement = (
            table.update()
            .where(table.c.id == sa.bindparam("rule_id"))
            .values(end=sa.bindparam("until"), closed_at=now)
        )
        rows = [
            {"rule_id": rule.id, "until": end}
            for rule, end in close
            if rule_rows.find_table(rule) is table
        ]
        if rows and connection.execute(statement, rows).rowcount != len(rows):
            raise ValueError("a rule to close is not in the store")


def _add(connection: sa.Connection, add: Collection[Rule], now: datetime.datetime) -> None:
    services = _ids(connection, SERVICES, {(rule.target.metric,) for rule in add})
    fields = _ids(
        connection,
        FIELDS,
        {
            (services[rule.target.metric,], rule.target.label)
            for rule in add
            if rule.target.label is not None
        },
    )
    groups = _ids(
        connection, GROUPS, {(rule.terms.group,) for rule in add if rule.terms.group is not None}
    )
    for table in rule_rows.TABLES:
        rows = [
            {
                **_value_columns(rule),
                **_target_columns(rule, services, fields),
                "group_id": groups.get((rule.terms.group,)),
                "created_at": now,
            }
            for rule in add
            if rule_rows.find_table(rule) is table
        ]
        if rows:
            connection.execute(table.insert(), rows)


def _value_columns(rule: Rule) -> dict[str, Any]:
    """Return the columns with a rule's own values."""
    terms = rule.terms
    return {
        "scope": terms.scope,
        "cost": terms.cost,
        "type": terms.type.value,
        "start": terms.start,
        "end": terms.end,
        **(_mapping_columns(rule) if isinstance(rule, MappingRule) else {"level": rule.level}),
    }


def _mapping_columns(rule: MappingRule) -> dict[str, Any]:
    """Return the columns with a mapping's value; every field's mapping has a text."""
    matches_null = rule.target.label is not None and rule.value is None
    return {"value": "" if matches_null else rule.value, "matches_null": matches_null}


_Ids = Mapping[tuple[Any, ...], int]


def _target_columns(rule: Rule, services: _Ids, fields: _Ids) -> dict[str, int | None]:
    """Return the columns with a rule's target: its field or, without one, its service."""
    service = services[rule.target.metric,]
    if rule.target.label is None:
        return {"service_id": service, "field_id": None}
    return {"service_id": None, "field_id": fields[service, rule.target.label]}


def _ids(connection: sa.Connection, table: sa.Table, keys: set[tuple[Any, ...]]) -> _Ids:
    """Return the ids of services, fields or groups by key; create those that do not exist."""
    if not keys:
        return {}
    names = [column.name for column in table.c if column.name != "id"]
    insert_new(connection, table, [dict(zip(names, key, strict=True)) for key in sorted(keys)])
    rows = connection.execute(sa.select(table.c.id, *(table.c[name] for name in names)))
    return {tuple(row[1:]): row[0] for row in rows}
