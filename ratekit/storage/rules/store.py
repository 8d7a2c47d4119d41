"""Price rules and their history: the ``hashmap_*`` tables."""

from __future__ import annotations

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


class SqlRules(RuleStore):
    """Keeps rules; a rule is closed, never changed or deleted.

    :param database: at the newest revision
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, known: RuleBook | None = None) -> RuleBook:
        """Return all rules, by three queries; ``known`` by one when nothing has changed."""
        with self._database.reading() as connection:
            version = versions.read(connection)
            if known is not None and known.version == version:
                return known
            found = [
                rule_rows.rule(row)
                for table in rule_rows.TABLES
                for row in connection.execute(
                    rule_rows.query(table).order_by(table.c.id)
                ).mappings()
            ]
        return RuleBook(version, tuple(found))

    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated: bool = False,
    ) -> int:
        """End and add rules and record it, in one transaction; commits of frames wait for it.

        :raises ValueError: a rule to close that is not stored
        """
        with self._database.writing() as connection:
            # First, since it keeps everybody else out.
            changed = versions.advance(connection, version)
            if unrated and _rated_until(connection) is not None:
                raise errors.OperatorError(
                    "something has been rated since the change was planned: nothing was "
                    "written; plan it again"
                )
            history.write_change(connection, changed, note)
            _close(connection, close, note.made_at)
            history.write_closed(connection, changed, close)
            before = history.newest(connection)
            _add(connection, add, note.made_at)
            history.write_opened(connection, changed, before)
        return changed

    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        """Return who changed what and when, newest first, by three queries."""
        with self._database.reading() as connection:
            return history.read(connection, limit)

    def rated_until(self) -> datetime.datetime | None:
        """Return the end of the last period that was rated for any scope, active or not.

        It is noted with each commit, for silent scopes too; where a scope starts or resumes
        is not taken for something rated.
        """
        with self._database.reading() as connection:
            return _rated_until(connection)


def _rated_until(connection: sa.Connection) -> datetime.datetime | None:
    query = sa.select(sa.func.max(SCOPES.c.last_rated))
    found: datetime.datetime | None = connection.execute(query).scalar()
    return found


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
            .where(table.c.id == sa.bindparam("key"))
            .values(end=sa.bindparam("until"), closed_at=now)
        )
        rows = [
            {"key": rule.id, "until": end}
            for rule, end in close
            if rule_rows.table_of(rule) is table
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
                **_own(rule),
                **_hung(rule, services, fields),
                "group_id": groups.get((rule.terms.group,)),
                "created_at": now,
            }
            for rule in add
            if rule_rows.table_of(rule) is table
        ]
        if rows:
            connection.execute(table.insert(), rows)


def _own(rule: Rule) -> dict[str, Any]:
    """Return the columns that hold a rule's own values."""
    terms = rule.terms
    special = {"value": rule.value} if isinstance(rule, MappingRule) else {"level": rule.level}
    return {
        "scope": terms.scope,
        "cost": terms.cost,
        "type": terms.type.value,
        "start": terms.start,
        "end": terms.end,
        **special,
    }


_Ids = Mapping[tuple[Any, ...], int]


def _hung(rule: Rule, services: _Ids, fields: _Ids) -> dict[str, int | None]:
    """Return the columns that say what a rule hangs on: its service, or else its field."""
    service = services[rule.target.metric,]
    if rule.target.label is None:
        return {"service_id": service, "field_id": None}
    return {"service_id": None, "field_id": fields[service, rule.target.label]}


def _ids(connection: sa.Connection, table: sa.Table, wanted: set[tuple[Any, ...]]) -> _Ids:
    """Return ids of services, fields or groups by their key, creating those that are new."""
    if not wanted:
        return {}
    names = [column.name for column in table.c if column.name != "id"]
    insert_new(connection, table, [dict(zip(names, key, strict=True)) for key in sorted(wanted)])
    rows = connection.execute(sa.select(table.c.id, *(table.c[name] for name in names)))
    return {tuple(row[1:]): row[0] for row in rows}
