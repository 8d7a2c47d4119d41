"""Rows of services, fields and groups: rules refer to them, and they exist without rules, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from ratekit.domain.rules.catalog import FieldRow, GroupRow, NameChange, ServiceRow
from ratekit.domain.rules.rule import Rule, RuleTarget
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.schema import FIELDS, GROUPS, SERVICES

_TABLES = {ServiceRow: SERVICES, FieldRow: FIELDS, GroupRow: GROUPS}
#: The columns by which rows of each table are found.
_KEYS = {SERVICES: ("name",), FIELDS: ("service_id", "name"), GROUPS: ("name",)}

_Ids = Mapping[tuple[Any, ...], int]


@dataclasses.dataclass(frozen=True, slots=True)
class NameIds:
    """The ids of the names that a change needs."""

    _services: _Ids
    _fields: _Ids
    _groups: _Ids

    def columns(self, rule: Rule) -> dict[str, int | None]:
        """Return the columns with a rule's group, and its field or, without one, its service."""
        service = self._services[rule.target.metric,]
        group = self._groups.get((rule.terms.group,))
        if rule.target.label is None:
            return {"service_id": service, "field_id": None, "group_id": group}
        field = self._fields[service, rule.target.label]
        return {"service_id": None, "field_id": field, "group_id": group}


def show(connection: sa.Connection, rules: Iterable[Rule], change: NameChange) -> NameIds:
    """Create the names of new rules and of a change where they are missing; show hidden ones."""
    rules = list(rules)
    targets: set[RuleTarget] = {rule.target for rule in rules}.union(change.targets)
    services = _ids(connection, SERVICES, {(target.metric,) for target in targets})
    fields = {
        (services[target.metric,], target.label) for target in targets if target.label is not None
    }
    groups = {(rule.terms.group,) for rule in rules if rule.terms.group is not None}
    groups |= {(name,) for name in change.groups}
    return NameIds(services, _ids(connection, FIELDS, fields), _ids(connection, GROUPS, groups))


def hide(connection: sa.Connection, rows: Iterable[ServiceRow | FieldRow | GroupRow]) -> None:
    """Mark names as deleted."""
    for kind, table in _TABLES.items():
        ids = [row.id for row in rows if type(row) is kind]
        _mark(connection, table, ids, hidden=True)


def read(
    connection: sa.Connection,
) -> tuple[tuple[ServiceRow, ...], tuple[FieldRow, ...], tuple[GroupRow, ...]]:
    """Return all services, fields and groups by id, hidden ones too, by three queries."""
    services, fields, groups = (
        connection.execute(sa.select(table).order_by(table.c.id)).mappings().all()
        for table in (SERVICES, FIELDS, GROUPS)
    )
    return (
        tuple(ServiceRow(**row) for row in services),
        tuple(FieldRow(**row) for row in fields),
        tuple(GroupRow(**row) for row in groups),
    )


def _ids(connection: sa.Connection, table: sa.Table, keys: Collection[tuple[Any, ...]]) -> _Ids:
    """Return the ids of rows by key; create those that do not exist, and show hidden ones."""
    if not keys:
        return {}
    names = _KEYS[table]
    insert_new(connection, table, [dict(zip(names, key, strict=True)) for key in sorted(keys)])
    columns = (table.c[name] for name in names)
    rows = connection.execute(sa.select(table.c.id, table.c.hidden, *columns)).all()
    hidden = [row[0] for row in rows if row[1] and tuple(row[2:]) in keys]
    _mark(connection, table, hidden, hidden=False)
    return {tuple(row[2:]): row[0] for row in rows}


def _mark(connection: sa.Connection, table: sa.Table, ids: Collection[int], hidden: bool) -> None:
    if ids:
        statement = table.update().where(table.c.id == sa.bindparam("row_id"))
        connection.execute(statement.values(hidden=hidden), [{"row_id": id_} for id_ in ids])
