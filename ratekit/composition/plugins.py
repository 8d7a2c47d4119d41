"""The plug-ins that a configuration names, with their options registered and checked."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from ratekit import errors, interfaces, plugins
from ratekit.conf.checking import source, values


def load_plugins(conf: Any, content: source.Content) -> tuple[list[Any], list[errors.Mistake]]:
    """Load the plug-ins that ``conf`` names; register their options, unchecked.

    :param conf: a loaded ``ConfigOpts``
    :param content: the files from which it was loaded
    :returns: the classes, and a mistake for each name that cannot be used
    """
    classes: list[Any] = []
    mistakes: list[errors.Mistake] = []
    for namespace, (group, option) in plugins.OPTIONS.items():
        for name in _names(conf, group, option):
            try:
                plugin = plugins.load(namespace, name)
            except plugins.PluginError as error:
                mistakes.append(content.mistake(group, option, error.reason))
            else:
                plugins.register_options(conf, plugin)
                classes.append(plugin)
    return classes, mistakes


def _names(conf: Any, group: str, option: str) -> Sequence[str]:
    # A wrong value of the option is a mistake of its own.
    with contextlib.suppress(cfg.Error):
        value = conf[group][option]
        return [value] if isinstance(value, str) else list(dict.fromkeys(value))
    return ()


def _load(conf: Any, namespace: str, name: str) -> Any:
    """Return a plug-in's class; check its options, unless :func:`load_plugins` loaded it.

    Commands that do not rate load their configuration without plug-ins.
    """
    plugin = plugins.load(namespace, name)
    if plugins.register_options(conf, plugin):
        content = source.read_again(conf)
        values.require_none(values.find_plugin_mistakes(conf, content, plugin))
    return plugin


def build_fetcher(conf: Any) -> interfaces.Fetcher:
    """Return the fetcher that ``conf`` names; opens no connection.

    :raises ratekit.errors.OperatorError: it is unknown, or its options cannot be used
    """
    plugin = _load(conf, plugins.FETCHERS, conf.fetcher.backend)
    fetcher: interfaces.Fetcher = plugin.from_conf(conf)
    return fetcher


def build_collector(conf: Any, offline: bool = False) -> interfaces.Collector:
    """Return the collector that ``conf`` names; opens no connection.

    :param offline: it will only validate and describe metrics, which needs no credentials
    :raises ratekit.errors.OperatorError: it is unknown, or its options cannot be used
    """
    plugin = _load(conf, plugins.COLLECTORS, conf.collect.collector)
    collector: interfaces.Collector
    if offline and isinstance(plugin, interfaces.OfflineCollector):
        collector = plugin.offline(conf)
    else:
        collector = plugin.from_conf(conf)
    return collector


def build_modules(conf: Any) -> Sequence[interfaces.RatingModule]:
    """Return the rating modules that ``conf`` names, highest priority first.

    :raises ratekit.errors.OperatorError: one is unknown, or its options cannot be used
    """
    return [_load(conf, plugins.RATING, name).from_conf(conf) for name in conf.rating.modules]
