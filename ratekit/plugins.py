"""Finding plug-ins by name. The only import of stevedore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

from stevedore import extension

from ratekit import errors

FETCHERS = "ratekit.fetchers"
COLLECTORS = "ratekit.collectors"
RATING = "ratekit.rating"
STORAGE = "ratekit.storage"

#: Section and option that name the plug-ins of each namespace.
OPTIONS = {
    FETCHERS: ("fetcher", "backend"),
    COLLECTORS: ("collect", "collector"),
    RATING: ("rating", "modules"),
    STORAGE: ("storage", "backend"),
}


def load(namespace: str, name: str) -> Any:
    """Return the class that ``name`` stands for in ``namespace``.

    :raises ratekit.errors.OperatorError: there is none, there are two, or it cannot be
        imported; the message names the option and lists the known names
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
    option = "[{}] {}".format(*OPTIONS[namespace]) if namespace in OPTIONS else namespace
    if len(matches) > 1:
        raise errors.OperatorError(f"{option}: {len(matches)} plug-ins are named {name!r}")
    if name in broken:
        reason = " ".join(str(broken[name]).split())
        raise errors.OperatorError(f"{option}: plug-in {name!r} cannot be loaded: {reason}")
    raise errors.OperatorError(f"{option}: {_unknown(name, {*found.names(), *broken})}")


def refusals(named: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield (namespace, what is wrong) for each (namespace, name) that is no plug-in.

    Nothing is imported, so that all names can be looked at before any plug-in is loaded.
    """
    installed = metadata.entry_points()  # once: this reads a file of all that is installed
    for namespace, name in named:
        known = installed.select(group=namespace).names
        if name not in known:
            yield namespace, _unknown(name, known)


def _unknown(name: str, known: set[str]) -> str:
    listed = ", ".join(sorted(known)) or "none"
    return f"unknown plug-in {name!r}{errors.nearest(name, known)}; known: {listed}"
