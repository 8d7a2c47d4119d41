"""Finding plug-ins by name. The only import of stevedore."""

from __future__ import annotations

from typing import Any

from stevedore import extension

from ratekit import errors

FETCHERS = "ratekit.fetchers"
COLLECTORS = "ratekit.collectors"
RATING = "ratekit.rating"
STORAGE = "ratekit.storage"


def load(namespace: str, name: str) -> Any:
    """Return the class that ``name`` stands for in ``namespace``.

    :raises ratekit.errors.OperatorError: there is none, there are two, or it cannot be
        imported; the message lists the known names
    """
    broken: dict[str, BaseException] = {}

    def remember(_manager: object, entry_point: Any, error: BaseException) -> None:
        broken[entry_point.name] = error

    found = extension.ExtensionManager[Any](
        namespace=namespace, invoke_on_load=False, on_load_failure_callback=remember
    )
    matches = [one.plugin for one in found if one.name == name]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        raise errors.OperatorError(f"{namespace} has {len(matches)} plug-ins named {name!r}")
    if name in broken:
        reason = " ".join(str(broken[name]).split())
        raise errors.OperatorError(f"plug-in {name!r} of {namespace} cannot be loaded: {reason}")
    known = ", ".join(sorted({*found.names(), *broken})) or "none"
    raise errors.OperatorError(f"{namespace} has no plug-in named {name!r}; known: {known}")
