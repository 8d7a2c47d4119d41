"""``/v1/rating``: rating modules."""

from __future__ import annotations

import functools
from typing import Any

import pydantic

from ratekit.api import modules
from ratekit.api.arguments import Arguments, Count, Flag
from ratekit.api.modules import ModuleName
from ratekit.api.operation import Answer, Call, Operation

#: CloudKitty's words.
_MISSING = "Module not found."

_show = functools.partial(modules.show, hot_config_key="hot-config")


class ModuleChange(ModuleName):
    """What a module is to be; what :func:`get_module` returned is accepted as it is."""

    model_config = pydantic.ConfigDict(populate_by_name=True)

    enabled: Flag | None = None
    priority: Count | None = None
    description: str | None = None
    hot_config: Flag | None = pydantic.Field(default=None, alias="hot-config")


def list_modules(call: Call[Arguments]) -> dict[str, Any]:
    """List rating modules, by priority."""
    return {"modules": [_show(module) for module in modules.list_modules(call.parts)]}


def get_module(call: Call[ModuleName]) -> dict[str, Any]:
    """Return one rating module."""
    return _show(modules.find_module(call.parts, call.arguments.module_id, _MISSING))


def update_module(call: Call[ModuleChange]) -> Answer:
    """Accept a module as it is; ratekit.conf decides which modules rate, and in which order."""
    change = call.arguments
    module = modules.find_module(call.parts, change.module_id, _MISSING)
    modules.require_unchanged(module, change.enabled, change.priority)
    return Answer(headers={"Location": f"{call.base_url}/v1/rating/modules/{module.id}"})


_ONE = "/v1/rating/modules/{module_id}"
OPERATIONS = [
    Operation("GET", "/v1/rating/modules", list_modules, "rating:list_modules"),
    Operation("GET", _ONE, get_module, "rating:get_module", ModuleName),
    Operation("PUT", _ONE, update_module, "rating:update_module", ModuleChange, status=302),
    Operation(
        "PUT", "/v1/rating/modules", update_module, "rating:update_module", ModuleChange, status=302
    ),
]
