"""Services, fields, groups and rules as the API shows them, by their public ids."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.domain.rules import public_id
from ratekit.domain.rules.catalog import FieldRow, GroupRow, ServiceRow
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import Rule


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceView:
    """A service as the API shows it."""

    id: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class FieldView:
    """A field as the API shows it."""

    id: str
    service_id: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupView:
    """A group as the API shows it."""

    id: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class RuleView:
    """A line of rules as the API shows it: the newest rule of the line, under the line's id.

    :ivar rule: with start None if it has been in force since ever
    :ivar service_id: None: it belongs to a field
    :ivar created_at: of the line's first rule, UTC
    :ivar created_by: who opened that rule; None: it is older than the history
    :ivar updated_by: who made the last change of the line, except its creation and deletion
    :ivar deleted_at: when a change closed it for good, UTC; None: none did
    :ivar over: it is not in force at the start of the next period or later
    """

    id: str
    rule: Rule
    service_id: str | None
    field_id: str | None
    group_id: str | None
    created_at: datetime.datetime
    created_by: str | None
    updated_by: str | None
    deleted_at: datetime.datetime | None
    deleted_by: str | None
    over: bool


def view_service(row: ServiceRow) -> ServiceView:
    """Return a service as the API shows it."""
    return ServiceView(public_id.encode(IdKind.SERVICE, row.id), row.name)


def view_field(row: FieldRow) -> FieldView:
    """Return a field as the API shows it."""
    service_id = public_id.encode(IdKind.SERVICE, row.service_id)
    return FieldView(public_id.encode(IdKind.FIELD, row.id), service_id, row.name)


def view_group(row: GroupRow) -> GroupView:
    """Return a group as the API shows it."""
    return GroupView(public_id.encode(IdKind.GROUP, row.id), row.name)
