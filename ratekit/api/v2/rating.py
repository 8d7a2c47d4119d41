"""``/v2/rating``: rating modules."""

from __future__ import annotations

import functools
from typing import Any

from ratekit.api import modules
from ratekit.api.arguments import Arguments, Count, Flag
from ratekit.api.modules import ModuleName
from ratekit.api.operation import Call, Operation

_show = functools.partial(modules.show, hot_config_key="hot_config")


class ModuleChange(ModuleName):
    """What a module is to be."""

    enabled: Flag | None = None
    priority: Count | None = None


def list_modules(call: Call[Arguments]) -> dict[str, Any]:
    """List rating modules, by priority."""
    return {"modules": [_show(module) for module in modules.list_modules(call.parts)]}


def get_module(call: Call[ModuleName]) -> dict[str, Any]:
    """Return one rating module."""
    return _show(modules.find_module(call.parts, call.arguments.module_id))


def update_module(call: Call[ModuleChange]) -> None:
    """Accept a module as it is; ratekit.conf decides which modules rate, and in which order."""
    change = call.arguments
    module = modules.find_module(call.parts, change.module_id)
    modules.require_unchanged(module, change.enabled, change.priority)


_ONE = "/v2/rating/modules/{module_id}"
OPERATIONS = [
    Operation("GET", "/v2/rating/modules", list_modules, "v2_rating:list_modules"),
    Operation("GET", _ONE, get_module, "v2_rating:get_module", ModuleName),
    Operation("PUT", _ONE, update_module, "v2_rating:update_module", ModuleChange, status=204),
]
