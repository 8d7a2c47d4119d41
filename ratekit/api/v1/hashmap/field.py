"""Fields: the labels of a service that rules compare."""

from __future__ import annotations

from typing import Any

from ratekit.admin.rule_editing import target
from ratekit.admin.rule_editing.views import FieldView, view_field
from ratekit.api.arguments import Arguments, Text
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.v1.hashmap.editing import (
    PREFIX,
    RULE,
    EditArguments,
    build_edit,
    changed,
    created,
    read_index,
)


class FieldList(Arguments):
    """Which fields.

    :ivar service_id: public id of their service; of an unknown one there are none
    """

    service_id: Text


class FieldId(Arguments):
    """Which field.

    :ivar field_id: its public id
    """

    field_id: Text


class NewField(EditArguments):
    """A field to create.

    :ivar service_id: public id of its service
    :ivar name: of the label
    """

    service_id: Text
    name: Text


class FieldDeletion(FieldId, EditArguments):
    """A field to delete."""


class Field(Arguments):
    """A field."""

    field_id: str
    service_id: str
    name: str


class Fields(Arguments):
    """The fields of a service."""

    fields: list[Field]


def list_fields(call: Call[FieldList]) -> dict[str, Any]:
    """List the fields of a service, by creation."""
    fields = read_index(call).fields(call.arguments.service_id)
    return {"fields": [_show(field) for field in fields]}


def get_field(call: Call[FieldId]) -> dict[str, Any]:
    """Return one field."""
    return _show(view_field(read_index(call).find_field(call.arguments.field_id)))


def create_field(call: Call[NewField]) -> Answer:
    """Create a field of a service, so that it can have rules."""
    arguments = call.arguments
    result = target.create_field(
        call.parts.editor, arguments.service_id, arguments.name, build_edit(call)
    )
    view = result.view
    return created(call, f"fields/{view.id}", _show(view), result)


def delete_field(call: Call[FieldDeletion]) -> Answer:
    """Delete a field; its rules end with the running period."""
    result = target.delete_field(call.parts.editor, call.arguments.field_id, build_edit(call))
    return changed(None, result)


def _show(field: FieldView) -> dict[str, Any]:
    return {"field_id": field.id, "service_id": field.service_id, "name": field.name}


_ALL, _ONE = f"{PREFIX}/fields", f"{PREFIX}/fields/{{field_id}}"
OPERATIONS = [
    Operation("GET", _ALL, list_fields, RULE, FieldList, Fields),
    Operation("GET", _ONE, get_field, RULE, FieldId, Field),
    Operation("POST", _ALL, create_field, RULE, NewField, Field, 201),
    Operation("DELETE", _ALL, delete_field, RULE, FieldDeletion, status=204),
    Operation("DELETE", _ONE, delete_field, RULE, FieldDeletion, status=204),
]
