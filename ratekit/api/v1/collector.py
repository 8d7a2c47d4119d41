"""``/v1/collector``: there is one collector, which ratekit.conf names, and nothing else to set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from typing_extensions import TypedDict

from ratekit.api.arguments import Arguments, Flag, Text
from ratekit.api.faults import Fault
from ratekit.api.operation import Call, Operation
from ratekit.api.parts import Parts


class Filter(Arguments):
    """Which mappings.

    :ivar collector: of this collector only
    """

    collector: Text | None = None


class Service(Arguments):
    """Which mapping.

    :ivar service: of which service
    """

    service: Text


class MappingChange(Service):
    """What to map.

    :ivar collector: to which collector
    """

    collector: Text


class Name(Arguments):
    """Which collector, or which service.

    :ivar name: its name
    """

    name: Text


class NamedMapping(Service, Name):
    """What to map, in the path.

    :ivar name: to which collector
    :ivar service: which service
    """


class StateChange(Name):
    """What a collector is to be.

    :ivar enabled: in use; clients leave out what is false
    """

    enabled: Flag = False


class CollectorMapping(TypedDict):
    """A service and its collector."""

    service: str
    collector: str


class MappingList(TypedDict):
    """All mappings: none."""

    mappings: Sequence[CollectorMapping]


class State(TypedDict):
    """Whether a collector is in use."""

    name: str
    enabled: bool


def list_mappings(_: Call[Filter]) -> MappingList:
    """List mappings of services to collectors: there are none."""
    return {"mappings": []}


def get_mapping(call: Call[Name]) -> NoReturn:
    """Answer that a service is mapped to no collector."""
    raise _no_mapping(call.arguments.name)


def create_mapping(_: Call[MappingChange | NamedMapping]) -> NoReturn:
    """Refuse a mapping: one collector collects all metrics."""
    raise Fault(501, "ratekit has one collector; which metrics it collects is set in metrics.yml")


def delete_mapping(call: Call[Service]) -> NoReturn:
    """Answer that a service is mapped to no collector."""
    raise _no_mapping(call.arguments.service)


def _no_mapping(service: str) -> Fault:
    return Fault(404, f"No mapping for service: {service}")


def get_state(call: Call[Name]) -> State:
    """Tell whether a collector is in use."""
    return _show_state(call.parts, call.arguments.name)


def _show_state(parts: Parts, name: str) -> State:
    return {"name": name, "enabled": name == parts.conf.collect.collector}


def update_state(call: Call[StateChange]) -> State:
    """Accept a collector's state as it is; ratekit.conf decides which collector is in use."""
    state = _show_state(call.parts, call.arguments.name)
    if state["enabled"] is not call.arguments.enabled:
        raise Fault(
            501,
            "which collector is in use is set in [collect] collector of ratekit.conf; "
            f"{state['name']} was not changed",
        )
    return state


_MAPPINGS = "/v1/collector/mappings"
_STATES = "/v1/collector/states"
_MANAGE = "collector:manage_mapping"
_UPDATE = "collector:update_state"
OPERATIONS = [
    Operation(
        "GET", _MAPPINGS, list_mappings, "collector:list_mappings", Filter, MappingList
    ),
    Operation(
        "POST", _MAPPINGS, create_mapping, _MANAGE, MappingChange, CollectorMapping,
        faults=(501,),
    ),
    Operation(
        "POST", _MAPPINGS + "/{name}/{service}", create_mapping, _MANAGE, NamedMapping,
        CollectorMapping, faults=(501,),
    ),
    Operation("DELETE", _MAPPINGS, delete_mapping, _MANAGE, Service, status=204),
    Operation(
        "GET", _MAPPINGS + "/{name}", get_mapping, "collector:get_mapping", Name, CollectorMapping
    ),
    Operation("DELETE", _MAPPINGS + "/{name}", get_mapping, _MANAGE, Name, status=204),
    *(
        Operation("GET", path, get_state, "collector:get_state", Name, State)
        for path in (_STATES, _STATES + "/{name}", "/v1/collector/{name}/states")
    ),
    *(
        Operation("PUT", path, update_state, _UPDATE, StateChange, State, faults=(501,))
        for path in (_STATES, _STATES + "/{name}", "/v1/collector/{name}/states")
    ),
]  # fmt: skip
