"""Groups: rules combine within a group, and the prices of groups add up."""

from __future__ import annotations

from typing import Any

from ratekit.admin.rule_editing import group, listing
from ratekit.admin.rule_editing.listing import RuleSelection
from ratekit.admin.rule_editing.views import view_group
from ratekit.api.arguments import Arguments, Flag, Text
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.v1.hashmap import rules
from ratekit.api.v1.hashmap.editing import (
    PREFIX,
    RULE,
    EditArguments,
    build_edit,
    changed,
    created,
    read_index,
)
from ratekit.api.v1.hashmap.mapping import HashmapMappings
from ratekit.api.v1.hashmap.rules import Group
from ratekit.api.v1.hashmap.threshold import Thresholds
from ratekit.domain.rules.public_id import IdKind


class GroupId(Arguments):
    """Which group.

    :ivar group_id: its public id
    """

    group_id: Text


class NewGroup(EditArguments):
    """A group to create."""

    name: Text


class GroupDeletion(GroupId, EditArguments):
    """A group to delete.

    :ivar recursive: its rules end, too; otherwise they stay, without a group
    """

    recursive: Flag = False


class Groups(Arguments):
    """All groups."""

    groups: list[Group]


def list_groups(call: Call[Arguments]) -> dict[str, Any]:
    """List groups, by creation."""
    return {"groups": [rules.show_group(view) for view in read_index(call).groups()]}


def get_group(call: Call[GroupId]) -> dict[str, Any]:
    """Return one group."""
    return rules.show_group(view_group(read_index(call).find_group(call.arguments.group_id)))


def create_group(call: Call[NewGroup]) -> Answer:
    """Create a group."""
    result = group.create(call.parts.editor, call.arguments.name, build_edit(call))
    view = result.view
    return created(call, f"groups/{view.id}", rules.show_group(view), result)


def delete_group(call: Call[GroupDeletion]) -> Answer:
    """Delete a group; from the next period on its rules have no group, or end."""
    arguments = call.arguments
    result = group.delete(
        call.parts.editor, arguments.group_id, arguments.recursive, build_edit(call)
    )
    return changed(None, result)


def list_mappings(call: Call[GroupId]) -> dict[str, Any]:
    """List the mappings of a group."""
    return {"mappings": _list_rules(call, IdKind.MAPPING)}


def list_thresholds(call: Call[GroupId]) -> dict[str, Any]:
    """List the thresholds of a group."""
    return {"thresholds": _list_rules(call, IdKind.THRESHOLD)}


def _list_rules(call: Call[GroupId], kind: IdKind) -> list[dict[str, Any]]:
    selection = RuleSelection(group_id=call.arguments.group_id)
    views = listing.select(read_index(call), kind, selection, call.parts.clock())
    return [rules.show(view) for view in views]


_ALL, _ONE = f"{PREFIX}/groups", f"{PREFIX}/groups/{{group_id}}"
OPERATIONS = [
    Operation("GET", _ALL, list_groups, RULE, answer=Groups),
    Operation("GET", f"{_ALL}/mappings", list_mappings, RULE, GroupId, HashmapMappings),
    Operation("GET", f"{_ALL}/thresholds", list_thresholds, RULE, GroupId, Thresholds),
    Operation("GET", f"{_ONE}/mappings", list_mappings, RULE, GroupId, HashmapMappings),
    Operation("GET", f"{_ONE}/thresholds", list_thresholds, RULE, GroupId, Thresholds),
    Operation("GET", _ONE, get_group, RULE, GroupId, Group),
    Operation("POST", _ALL, create_group, RULE, NewGroup, Group, 201),
    Operation("DELETE", _ALL, delete_group, RULE, GroupDeletion, status=204),
    Operation("DELETE", _ONE, delete_group, RULE, GroupDeletion, status=204),
]
