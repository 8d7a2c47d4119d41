"""All operations on price rules."""

from __future__ import annotations

from collections.abc import Sequence

from ratekit.api.arguments import Arguments
from ratekit.api.operation import Call, Operation
from ratekit.api.v1.hashmap import field, group, mapping, service, threshold
from ratekit.api.v1.hashmap.editing import PREFIX, RULE
from ratekit.domain.rules.rule import CostType


def list_types(_: Call[Arguments]) -> list[str]:
    """List the types of costs."""
    return [type_.value for type_ in CostType]


OPERATIONS: Sequence[Operation] = [
    Operation("GET", f"{PREFIX}/types", list_types, RULE, answer=list[str]),
    *service.OPERATIONS,
    *field.OPERATIONS,
    *group.OPERATIONS,
    *mapping.OPERATIONS,
    *threshold.OPERATIONS,
]
