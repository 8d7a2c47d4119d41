"""Rating modules, as both versions show them; ratekit.conf decides which are in use."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ratekit import plugins
from ratekit.api.arguments import Arguments, Text
from ratekit.api.faults import Fault, not_found
from ratekit.api.parts import Parts

#: What CloudKitty's clients look for.
_DESCRIPTIONS = {"hashmap": "HashMap rating module."}
#: Modules of CloudKitty's that clients ask for by name; ratekit has none, or none in use.
_FOREIGN = {
    "pyscripts": "Not part of ratekit: it would run Python that users upload.",
    "noop": "Charges nothing.",
}


class ModuleName(Arguments):
    """Which module.

    :ivar module_id: its name
    """

    module_id: Text


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """A rating module.

    :ivar priority: the highest rates first; 0: it is not in use
    """

    id: str
    description: str
    priority: int

    @property
    def enabled(self) -> bool:
        """Whether it rates."""
        return self.priority > 0


def list_modules(parts: Parts) -> Sequence[Module]:
    """Return all modules, those that rate first."""
    names: Sequence[str] = parts.conf.rating.modules
    in_use = [Module(name, _describe(name), len(names) - index) for index, name in enumerate(names)]
    return in_use + [Module(name, text, 0) for name, text in _FOREIGN.items() if name not in names]


def find_module(parts: Parts, name: str, message: str = "") -> Module:
    """Return the module of a name.

    :param message: what clients learn without one; by default, its name is not found
    :raises ratekit.api.faults.Fault: there is none
    """
    for module in list_modules(parts):
        if module.id == name:
            return module
    raise Fault(404, message) if message else not_found("Module", name)


def show(module: Module, hot_config_key: str) -> dict[str, Any]:
    """Return a module as clients read it.

    :param hot_config_key: the versions spell it differently
    """
    return {
        "module_id": module.id,
        "description": module.description,
        "enabled": module.enabled,
        hot_config_key: False,
        "priority": module.priority,
    }


def require_unchanged(module: Module, enabled: bool | None, priority: int | None) -> None:
    """Refuse what would change a module.

    :raises ratekit.api.faults.Fault: it differs
    """
    if enabled not in (None, module.enabled) or priority not in (None, module.priority):
        raise Fault(
            409,
            f"which modules rate, and in which order, is set in [rating] modules of "
            f"ratekit.conf; {module.id} was not changed",
        )


def _describe(name: str) -> str:
    text = plugins.load(plugins.RATING, name).__doc__ or ""
    return _DESCRIPTIONS.get(name, text.partition("\n")[0])
