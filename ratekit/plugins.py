"""Plug-ins: find them by name, and register their options. The only import of stevedore."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any

from stevedore import extension, named

from ratekit import errors
from ratekit.interfaces import Configurable

FETCHERS = "ratekit.fetchers"
COLLECTORS = "ratekit.collectors"
RATING = "ratekit.rating"
#: Functions of libraries that list their options.
LIBRARY_OPTIONS = "oslo.config.opts"

#: Section and option that name the plug-ins of each namespace.
OPTIONS = {
    FETCHERS: ("fetcher", "backend"),
    COLLECTORS: ("collect", "collector"),
    RATING: ("rating", "modules"),
}


class PluginError(errors.HostError):
    """A plug-in that cannot be used.

    :ivar reason: why, without the option that names the plug-in
    """

    def __init__(self, namespace: str, reason: str) -> None:
        self.reason = reason
        option = "[{}] {}".format(*OPTIONS[namespace]) if namespace in OPTIONS else namespace
        super().__init__(f"{option}: {reason}")


def load(namespace: str, name: str) -> Any:
    """Return the class that ``name`` stands for in ``namespace``; imports no other plug-in.

    :raises PluginError: there is none, there are two, or it cannot be imported; the message
        names the option and lists the installed plug-ins
    """
    failures: list[BaseException] = []

    def note_failure(_manager: object, _entry_point: object, error: BaseException) -> None:
        failures.append(error)

    manager = named.NamedExtensionManager[Any](
        namespace,
        [name],
        on_load_failure_callback=note_failure,
        on_missing_entrypoints_callback=None,
    )
    if len(manager.extensions) == 1:
        return manager.extensions[0].plugin
    if len(manager.extensions) > 1:
        raise PluginError(namespace, f"{len(manager.extensions)} plug-ins are named {name!r}")
    if failures:
        reason = " ".join(str(failures[0]).split())
        raise PluginError(namespace, f"plug-in {name!r} cannot be loaded: {reason}")
    names = sorted({entry_point.name for entry_point in manager.list_entry_points()})
    hint = errors.suggestion(name, names)
    raise PluginError(
        namespace, f"unknown plug-in {name!r}{hint}; known: {', '.join(names) or 'none'}"
    )


def list_entry_points(namespace: str) -> list[metadata.EntryPoint]:
    """Return the entry points of a namespace; imports none of them."""
    manager = named.NamedExtensionManager[Any](namespace, [])
    return list(manager.list_entry_points())


def list_installed() -> Iterator[tuple[str, Any]]:
    """Yield (module, class) for each plug-in that can be imported, by namespace and name."""
    for namespace in OPTIONS:
        manager = extension.ExtensionManager[Any](
            namespace, on_load_failure_callback=lambda *_: None
        )
        for plugin in sorted(manager.extensions, key=lambda plugin: plugin.name):
            yield plugin.module_name, plugin.plugin


def register_options(conf: Any, plugin: Any) -> bool:
    """Register the options of a plug-in on ``conf``, a ``ConfigOpts``, which may be loaded.

    :returns: whether any of them is new
    """
    if not isinstance(plugin, Configurable):
        return False
    # A list, so that each option is registered.
    return any(
        [
            conf.register_opt(opt, group=section)
            for section, opts in plugin.options().items()
            for opt in opts
        ]
    )
