"""``/v1/rating/module_config`` of modules that have none, and what concerns all modules.

pyscripts would run Python that users upload in the process that rates: there are no scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import pydantic
from typing_extensions import TypedDict

from ratekit.api.arguments import Arguments, Flag, Instant, Text
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call, Operation

_RULE = "rating:module_config"


class ModuleName(Arguments):
    """Which module.

    :ivar module_id: its name
    """

    module_id: Text


class ScriptFilter(Arguments):
    """Which scripts; there are none, whatever the filter.

    :ivar no_data: without their text
    """

    no_data: Flag = False
    name: Text | None = None
    start: Instant | None = None
    end: Instant | None = None
    description: Text | None = None
    created_by: Text | None = None
    updated_by: Text | None = None
    deleted_by: Text | None = None
    deleted: Flag = False
    is_active: Flag = False
    all: Flag = False


class ScriptId(Arguments):
    """Which script.

    :ivar script_id: its ID
    """

    script_id: Text


class Script(Arguments):
    """A script, which is refused, whatever it has."""

    model_config = pydantic.ConfigDict(extra="allow")


class ScriptList(TypedDict):
    """All scripts: none."""

    scripts: Sequence[Any]


def reload(_: Call[Arguments]) -> Answer:
    """Do nothing: each batch is rated by the rules in the database."""
    return Answer()


def list_scripts(_: Call[ScriptFilter]) -> ScriptList:
    """List scripts: there are none."""
    return {"scripts": []}


def find_script(call: Call[ScriptId]) -> NoReturn:
    """Answer that a script does not exist."""
    # CloudKitty's words.
    raise Fault(404, f"No such script: None (UUID: {call.arguments.script_id})")


def refuse_script(_: Call[Script]) -> NoReturn:
    """Refuse a script."""
    raise Fault(501, "ratekit does not run Python of users; write the prices as hashmap rules")


def refuse_module(call: Call[ModuleName]) -> NoReturn:
    """Answer that a module has no configuration of its own."""
    raise Fault(409, f"Module is not configurable: {call.arguments.module_id}")


_SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"
_SCRIPT = _SCRIPTS + "/{script_id}"
OPERATIONS = [
    Operation("GET", "/v1/rating/reload_modules", reload, _RULE, status=204),
    Operation("GET", _SCRIPTS, list_scripts, _RULE, ScriptFilter, ScriptList),
    Operation("GET", _SCRIPT, find_script, _RULE, ScriptId),
    Operation("POST", _SCRIPTS, refuse_script, _RULE, Script, status=201, faults=(501,)),
    Operation("PUT", _SCRIPTS, refuse_script, _RULE, Script, status=201, faults=(501,)),
    Operation("PUT", _SCRIPT, refuse_script, _RULE, Script, status=201, faults=(501,)),
    Operation("DELETE", _SCRIPTS, find_script, _RULE, ScriptId, status=204),
    Operation("DELETE", _SCRIPT, find_script, _RULE, ScriptId, status=204),
    *(
        Operation(verb, "/v1/rating/module_config/{module_id}", refuse_module, _RULE, ModuleName)
        for verb in ("GET", "POST", "PUT", "DELETE")
    ),
]
