"""The options that ``oslo-config-generator`` and the documentation list."""

from __future__ import annotations

from typing import Any

from ratekit import conf as core
from ratekit import keystone, plugins
from ratekit.interfaces import Configurable


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return (section, options) pairs of ratekit and of the plug-ins that are a part of it."""
    return [*core.list_opts(), *_list_plugin_opts(of_ratekit=True)]


def list_plugin_opts() -> list[tuple[str, list[Any]]]:
    """Return (section, options) pairs of the plug-ins that other packages have installed."""
    return _list_plugin_opts(of_ratekit=False)


def _list_plugin_opts(of_ratekit: bool) -> list[tuple[str, list[Any]]]:
    return [
        (section, keystone.sample_options(opts))
        for module, plugin in plugins.list_installed()
        if isinstance(plugin, Configurable)
        and (module.partition(".")[0] == "ratekit") is of_ratekit
        for section, opts in plugin.options().items()
    ]
