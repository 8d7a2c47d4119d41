"""Mappings: a cost of all usage, or of usage with one value of a field."""

from __future__ import annotations

from typing import Any

from ratekit.api.arguments import Arguments, Flag, Instant, Text
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.v1.hashmap import rules
from ratekit.api.v1.hashmap.editing import PREFIX, RULE, EditArguments
from ratekit.api.v1.hashmap.rules import Group, Rule, RuleList, RuleWrite
from ratekit.domain.rules.public_id import IdKind


class MappingList(RuleList):
    """Which mappings to list.

    :ivar deleted: only those that were deleted or have ended
    :ivar is_active: only those in force at this moment
    :ivar start: those that start at this time or later
    :ivar end: those that end before this time
    :ivar description: a part of it
    :ivar all: accepted for CloudKitty's clients; all are listed
    """

    deleted: Flag = False
    is_active: Flag = False
    start: Instant | None = None
    end: Instant | None = None
    created_by: Text | None = None
    updated_by: Text | None = None
    deleted_by: Text | None = None
    description: Text | None = None
    all: Flag = True


class MappingId(Arguments):
    """Which mapping.

    :ivar mapping_id: its public id
    """

    mapping_id: Text


class NewMapping(RuleWrite):
    """A mapping to create.

    :ivar value: that the field must have; null: it must be null
    """

    value: str | None = None
    mapping_id: str | None = None


class MappingChange(NewMapping):
    """A mapping as it is to be, or what is to change of it."""

    mapping_id: Text


class MappingDeletion(MappingId, EditArguments):
    """A mapping to delete."""


class HashmapMapping(Rule):
    """A mapping."""

    mapping_id: str
    value: str | None


class HashmapMappings(Arguments):
    """Several mappings."""

    mappings: list[HashmapMapping]


def list_mappings(call: Call[MappingList]) -> dict[str, Any]:
    """List the mappings that are in force in the next period or later."""
    arguments = call.arguments
    listed = rules.list_rules(
        call,
        IdKind.MAPPING,
        deleted=arguments.deleted,
        is_active=arguments.is_active,
        start=arguments.start,
        end=arguments.end,
        created_by=arguments.created_by,
        updated_by=arguments.updated_by,
        deleted_by=arguments.deleted_by,
        description=arguments.description,
    )
    return {"mappings": listed}


def get_mapping(call: Call[MappingId]) -> dict[str, Any]:
    """Return one mapping, deleted or not."""
    return rules.get_rule(call, IdKind.MAPPING, call.arguments.mapping_id)


def create_mapping(call: Call[NewMapping]) -> Answer:
    """Create a mapping, in force from ``start`` or, without it, from the next period on."""
    return rules.create_rule(call, IdKind.MAPPING, "mappings")


def update_mapping(call: Call[MappingChange]) -> Answer:
    """Change a mapping from the next period on; its id stays.

    Rated periods keep their prices. A mapping that is scheduled for later has an id of its own.
    """
    return rules.update_rule(call, IdKind.MAPPING, call.arguments.mapping_id)


def delete_mapping(call: Call[MappingDeletion]) -> Answer:
    """End a mapping with the running period; it can still be read."""
    return rules.delete_rule(call, IdKind.MAPPING, call.arguments.mapping_id)


def get_group(call: Call[MappingId]) -> dict[str, Any]:
    """Return the group of a mapping."""
    return rules.get_group(call, IdKind.MAPPING, call.arguments.mapping_id)


_ALL, _ONE = f"{PREFIX}/mappings", f"{PREFIX}/mappings/{{mapping_id}}"
OPERATIONS = [
    Operation("GET", _ALL, list_mappings, RULE, MappingList, HashmapMappings),
    Operation("GET", _ONE, get_mapping, RULE, MappingId, HashmapMapping),
    Operation("GET", f"{_ALL}/group", get_group, RULE, MappingId, Group),
    Operation("GET", f"{_ONE}/group", get_group, RULE, MappingId, Group),
    Operation("POST", _ALL, create_mapping, RULE, NewMapping, HashmapMapping, 201),
    Operation("PUT", _ALL, update_mapping, RULE, MappingChange, status=302),
    Operation("PUT", _ONE, update_mapping, RULE, MappingChange, status=302),
    Operation("DELETE", _ALL, delete_mapping, RULE, MappingDeletion, status=204),
    Operation("DELETE", _ONE, delete_mapping, RULE, MappingDeletion, status=204),
]
