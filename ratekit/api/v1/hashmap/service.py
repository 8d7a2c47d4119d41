"""Services: the metrics that rules price."""

from __future__ import annotations

from typing import Any

from ratekit.admin.rule_editing import target
from ratekit.admin.rule_editing.views import ServiceView, view_service
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


class ServiceId(Arguments):
    """Which service.

    :ivar service_id: its public id
    """

    service_id: Text


class NewService(EditArguments):
    """A service to create.

    :ivar name: public name of a metric
    """

    name: Text


class ServiceDeletion(ServiceId, EditArguments):
    """A service to delete."""


class Service(Arguments):
    """A service."""

    service_id: str
    name: str


class Services(Arguments):
    """All services."""

    services: list[Service]


def list_services(call: Call[Arguments]) -> dict[str, Any]:
    """List services, by creation."""
    services = read_index(call).services()
    return {"services": [_show(service) for service in services]}


def get_service(call: Call[ServiceId]) -> dict[str, Any]:
    """Return one service."""
    return _show(view_service(read_index(call).find_service(call.arguments.service_id)))


def create_service(call: Call[NewService]) -> Answer:
    """Create a service, so that it can have rules.

    A service that no usage has is created, too, with a warning in the header X-Ratekit-Warning.
    """
    result = target.create_service(call.parts.editor, call.arguments.name, build_edit(call))
    view = result.view
    return created(call, f"services/{view.id}", _show(view), result)


def delete_service(call: Call[ServiceDeletion]) -> Answer:
    """Delete a service; its rules and those of its fields end with the running period."""
    result = target.delete_service(call.parts.editor, call.arguments.service_id, build_edit(call))
    return changed(None, result)


def _show(service: ServiceView) -> dict[str, Any]:
    return {"service_id": service.id, "name": service.name}


_ALL, _ONE = f"{PREFIX}/services", f"{PREFIX}/services/{{service_id}}"
OPERATIONS = [
    Operation("GET", _ALL, list_services, RULE, answer=Services),
    Operation("GET", _ONE, get_service, RULE, ServiceId, Service),
    Operation("POST", _ALL, create_service, RULE, NewService, Service, 201),
    Operation("DELETE", _ALL, delete_service, RULE, ServiceDeletion, status=204),
    Operation("DELETE", _ONE, delete_service, RULE, ServiceDeletion, status=204),
]
