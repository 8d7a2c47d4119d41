"""Options and sections that ratekit does not read: misspelt ones, and CloudKitty's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from ratekit import conf as core
from ratekit import errors, plugins
from ratekit.conf.checking import credentials
from ratekit.conf.checking.source import Content, OptionEntry, normal
from ratekit.conf.checking.values import option_names
from ratekit.interfaces import Configurable

_NOT_NEEDED = "is CloudKitty's; ratekit does not need it"
#: Sections of CloudKitty 25, of older releases, and of the libraries that it uses.
_SECTIONS = re.compile(
    r"api|keystone_authtoken|ks_auth|keystone_fetcher|tenant_fetcher|gnocchi_collector"
    r"|ceilometer_collector|state|storage|output|cors|healthcheck|ssl|profiler|cache|coordination"
    r"|fetcher_(gnocchi|prometheus|source)|collector_(aetos|prometheus|monasca)"
    r"|storage_(influxdb|elasticsearch|opensearch|gnocchi|loki|monasca)|hybrid_storage"
    r"|oslo_\w+\Z"
)
_DATABASE = frozenset(
    """backend connection_debug connection_parameters connection_recycle_time connection_trace
    db_inc_retry_interval db_max_retries db_max_retry_interval db_retry_interval max_overflow
    max_pool_size max_retries mysql_sql_mode mysql_wsrep_sync_wait pool_timeout retry_interval
    slave_connection sqlite_synchronous synchronous_reader use_db_reconnect
    use_tpool""".split()  # noqa: SIM905 - legible as it is
)
_DEFAULT = frozenset(
    """api_paste_config auth_strategy control_exchange executor_thread_pool_size fatal_deprecations
    host pecan_debug rpc_conn_pool_size rpc_ping_enabled rpc_response_timeout state_path
    transport_url verbose""".split()  # noqa: SIM905
)
_SESSION = frozenset({"collect_timing", "split_loggers"})
_OPTIONS = {
    "collect": frozenset({"services", "window"}),
    "collector_gnocchi": _SESSION | {"http_pool_maxsize", "region_name"},
    "database": _DATABASE,
    "DEFAULT": _DEFAULT,
    "fetcher_keystone": _SESSION | {"keystone_version"},
    "orchestrator": frozenset(
        {
            "collector_request_timeout", "coordination_url", "max_greenthreads", "max_threads",
            "max_workers", "max_workers_reprocessing",
        }
    ),
}  # fmt: skip


def warnings(conf: Any, content: Content, in_use: Sequence[Any]) -> list[errors.Mistake]:
    """Return options and sections that nothing reads, in the order of the files.

    :param conf: a loaded ``ConfigOpts`` with the options of the core and of plug-ins
    :param in_use: classes of the plug-ins that ``conf`` names
    """
    names = _read_names(conf, in_use)
    mistakes = list(_find_sections(content, names))
    for entry in content.entries:
        text = _option_text(entry, names)
        if text:
            key = f"[{entry.group}] {entry.name}"
            mistakes.append(errors.Mistake(entry.file, entry.line, key, text))
    return sorted(
        mistakes, key=lambda mistake: (content.files.index(mistake.file), mistake.line or 0)
    )


def library_opts(*libraries: str) -> list[Any]:
    """Return the options that libraries have in [DEFAULT]."""
    points = metadata.entry_points(group="oslo.config.opts")
    groups = [group for point in points if point.name in libraries for group in point.load()()]
    return [opt for name, opts in groups if name in (None, "DEFAULT") for opt in opts]


def _read_names(conf: Any, in_use: Sequence[Any]) -> Mapping[str, set[str]]:
    """Return the names of the options that something may read, by section."""
    sections: list[tuple[str, Sequence[Any]]] = list(core.list_opts())
    for _, plugin in plugins.list_installed():
        if isinstance(plugin, Configurable):
            sections += plugin.options().items()
    sections += credentials.option_sections(conf, in_use)
    sections.append(("DEFAULT", library_opts("oslo.log", "oslo.service.service")))
    names = option_names((normal(section), opts) for section, opts in sections)
    names["DEFAULT"].update(("config_file", "config_dir"))
    return names


def _find_sections(content: Content, names: Mapping[str, set[str]]) -> Iterator[errors.Mistake]:
    for file, line, section in content.sections:
        if normal(section) in names:
            continue
        if _SECTIONS.fullmatch(normal(section)):
            yield errors.Mistake(file, line, f"[{section}]", _NOT_NEEDED)
            continue
        # A section that resembles none may have credentials that auth_section names.
        hint = errors.suggestion(normal(section), names)
        if hint:
            yield errors.Mistake(file, line, f"[{section}]", f"unknown section{hint}")


def _option_text(entry: OptionEntry, names: Mapping[str, set[str]]) -> str | None:
    options = names.get(normal(entry.group))
    if options is None or entry.name in options:
        return None
    if entry.name in _OPTIONS.get(normal(entry.group), ()):
        return _NOT_NEEDED
    return f"unknown option{errors.suggestion(entry.name, options)}"
