"""All options that something may read: those of the core, of plug-ins and of libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ratekit import conf as core
from ratekit import plugins
from ratekit.conf.checking import credentials
from ratekit.conf.checking.middleware import Middleware
from ratekit.conf.checking.source import normal
from ratekit.conf.checking.values import option_names
from ratekit.interfaces import Configurable

#: The processor's options of oslo.service, which imports eventlet: the API must not.
PROCESSOR_DEFAULTS = frozenset(
    {"backdoor_port", "backdoor_socket", "graceful_shutdown_timeout", "log_options"}
)


def library_opts(*libraries: str) -> list[Any]:
    """Return the options that libraries have in [DEFAULT]."""
    points = plugins.list_entry_points(plugins.LIBRARY_OPTIONS)
    groups = [group for point in points if point.name in libraries for group in point.load()()]
    return [opt for name, opts in groups if name in (None, "DEFAULT") for opt in opts]


def read_names(conf: Any, in_use: Sequence[Any]) -> Mapping[str, set[str]]:
    """Return the names of the options that something may read, by section.

    :param conf: a loaded ``ConfigOpts`` with the options of the core and of plug-ins
    :param in_use: classes of the plug-ins that ``conf`` names
    """
    names = _read_names(conf, in_use, [plugin for _, plugin in plugins.list_installed()])
    names["DEFAULT"] |= {opt.dest for opt in library_opts("oslo.service.service")}
    return names


def read_serving_names(conf: Any) -> Mapping[str, set[str]]:
    """Return the names of the options that the API may read, by section, but for plug-ins'.

    :param conf: a loaded ``ConfigOpts`` with these options
    """
    names = _read_names(conf, [Middleware], [Middleware])
    names["DEFAULT"] |= PROCESSOR_DEFAULTS
    return names


def _read_names(conf: Any, in_use: Sequence[Any], declaring: Sequence[Any]) -> dict[str, set[str]]:
    sections: list[tuple[str, Sequence[Any]]] = list(core.list_opts())
    for plugin in declaring:
        if isinstance(plugin, Configurable):
            sections += plugin.options().items()
    sections += credentials.option_sections(conf, in_use)
    sections.append(("DEFAULT", library_opts("oslo.log")))
    names = option_names((normal(section), opts) for section, opts in sections)
    names["DEFAULT"].update(("config_file", "config_dir"))
    return names
