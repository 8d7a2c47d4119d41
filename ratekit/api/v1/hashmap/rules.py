"""Mappings and thresholds, which differ in a value or a level."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

import pydantic

from ratekit.admin.rule_editing import listing, rule
from ratekit.admin.rule_editing.listing import RuleSelection
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.admin.rule_editing.views import GroupView, RuleView, view_group
from ratekit.api.arguments import (
    Arguments,
    Flag,
    Instant,
    Number,
    Text,
    first_text,
    parse_instant,
)
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call
from ratekit.api.v1.hashmap.editing import (
    EditArguments,
    build_edit,
    changed,
    created,
    read_index,
)
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import ThresholdRule

_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)
_DAY, _SECOND = datetime.timedelta(days=1), datetime.timedelta(seconds=1)


class RuleList(Arguments):
    """Which rules to list.

    :ivar service_id: public id; those of the service itself, not of its fields
    :ivar field_id: public id
    :ivar group_id: public id
    :ivar no_group: only those without a group
    :ivar tenant_id: with ``filter_tenant``: only those of this project, or of none
    """

    service_id: Text | None = None
    field_id: Text | None = None
    group_id: Text | None = None
    no_group: Flag = False
    tenant_id: Text | None = None
    filter_tenant: Flag = False


def _parse_end(value: Any) -> datetime.datetime:
    """Return when a rule ends; a date is its last second, as CloudKitty's clients mean it."""
    end = parse_instant(value)
    # From its end: the day after the last date does not exist.
    return end + (_DAY - _SECOND) if _DATE.fullmatch(str(first_text(value)).strip()) else end


End = Annotated[datetime.datetime, pydantic.BeforeValidator(_parse_end)]


class RuleWrite(EditArguments):
    """A rule, or a part of one; keys that only reading returns are accepted and ignored.

    :ivar service_id: public id of the service, for a rule of all its usage
    :ivar field_id: public id of the field, for a rule of some of it
    :ivar group_id: public id; rules combine within a group
    :ivar tenant_id: the only project that it applies to
    :ivar type: flat, an amount a unit, or rate, a factor
    :ivar cost: all digits count
    """

    service_id: Text | None = None
    field_id: Text | None = None
    group_id: Text | None = None
    tenant_id: Text | None = None
    type: Text | None = None
    cost: Number | None = None
    start: Instant | None = None
    end: End | None = None
    name: str | None = None
    description: str | None = None
    created_at: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None
    deleted: str | bool | None = None


class Group(Arguments):
    """A group of rules."""

    group_id: str
    name: str


class Rule(Arguments):
    """What mappings and thresholds have in common, as they are shown."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    type: str
    cost: str
    service_id: str | None
    field_id: str | None
    group_id: str | None
    tenant_id: str | None
    created_at: str
    start: str | None
    end: str | None
    name: str | None
    description: str | None
    deleted: str | None
    created_by: str | None
    updated_by: str | None
    deleted_by: str | None


def list_rules(call: Call[Any], kind: IdKind, **filters: Any) -> list[dict[str, Any]]:
    """Return the rules that fit.

    :param filters: further ones, as :class:`RuleSelection` names them
    """
    arguments = call.arguments
    selection = RuleSelection(
        service_id=arguments.service_id,
        field_id=arguments.field_id,
        group_id=arguments.group_id,
        no_group=arguments.no_group,
        by_scope=arguments.filter_tenant,
        scope=arguments.tenant_id,
        **filters,
    )
    now = call.parts.clock()
    return [show(view) for view in listing.select(read_index(call), kind, selection, now)]


def get_rule(call: Call[Any], kind: IdKind, text: str) -> dict[str, Any]:
    """Return one rule, deleted or not."""
    return show(read_index(call).find_rule(kind, text))


def create_rule(call: Call[Any], kind: IdKind, path: str) -> Answer:
    """Create a rule."""
    result = rule.create(call.parts.editor, kind, _fields(call.arguments), build_edit(call))
    view = result.view
    return created(call, f"{path}/{view.id}", show(view), result)


def update_rule(call: Call[Any], kind: IdKind, text: str) -> Answer:
    """Change a rule from the next period on."""
    result = rule.update(call.parts.editor, kind, text, _fields(call.arguments), build_edit(call))
    return changed(None, result)


def delete_rule(call: Call[Any], kind: IdKind, text: str) -> Answer:
    """End a rule with the running period."""
    return changed(None, rule.delete(call.parts.editor, kind, text, build_edit(call)))


def get_group(call: Call[Any], kind: IdKind, text: str) -> dict[str, Any]:
    """Return the group of a rule."""
    index = read_index(call)
    group_id = index.find_rule(kind, text).group_id
    if group_id is None:
        raise Fault(404, f"The {kind.name.lower()} has no group: {text}")
    return show_group(view_group(index.find_group(group_id)))


def show_group(group: GroupView) -> dict[str, Any]:
    """Return a group as clients read it."""
    return {"group_id": group.id, "name": group.name}


def show(view: RuleView) -> dict[str, Any]:
    """Return a rule as clients read it."""
    stored = view.rule
    terms = stored.terms
    own: Mapping[str, Any]
    if isinstance(stored, ThresholdRule):
        own = {"threshold_id": view.id, "level": stored.level}
    else:
        own = {"mapping_id": view.id, "value": stored.value}
    return {
        **own,
        "type": terms.type.value,
        "cost": terms.cost,
        "service_id": view.service_id,
        "field_id": view.field_id,
        "group_id": view.group_id,
        "tenant_id": terms.scope,
        "created_at": view.created_at,
        "start": terms.start,
        "end": terms.end,
        "name": stored.name,
        "description": stored.description,
        "deleted": view.deleted_at,
        "created_by": view.created_by,
        "updated_by": view.updated_by,
        "deleted_by": view.deleted_by,
    }


#: Names of arguments that the rule itself does not have, or has by another name.
_OTHER = frozenset(
    {
        "tenant_id", "mapping_id", "threshold_id", "force", "allow_free", "created_at",
        "created_by", "updated_by", "deleted_by", "deleted",
    }
)  # fmt: skip


def _fields(arguments: Any) -> RuleFields:
    """Return the fields that a request has."""
    sent = arguments.model_fields_set
    fields = {name: getattr(arguments, name) for name in sent - _OTHER}
    if "tenant_id" in sent:
        fields["scope"] = arguments.tenant_id
    return cast(RuleFields, fields)
