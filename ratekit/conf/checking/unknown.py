"""Options and sections that ratekit does not know: misspelt ones, and CloudKitty's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

from keystoneauth1 import exceptions
from oslo_config import cfg

from ratekit import conf as options
from ratekit import errors
from ratekit.conf.checking import credentials, values
from ratekit.conf.checking.source import Content, OptionEntry, normal

_NOT_NEEDED = "is CloudKitty's; ratekit does not need it"
#: CloudKitty 25's sections, older ones of it, and those of the libraries that it uses.
_SECTIONS = re.compile(
    r"api|keystone_authtoken|ks_auth|keystone_fetcher|tenant_fetcher|gnocchi_collector"
    r"|ceilometer_collector|state|output|cors|healthcheck|ssl|profiler|cache|coordination"
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
    "storage": frozenset({"retention_period", "version"}),
}  # fmt: skip


def warnings(conf: Any, content: Content) -> list[errors.Mistake]:
    """Return what is in the files that no part of ratekit reads, in the order of the files.

    :param conf: a loaded ``ConfigOpts`` with ratekit's options
    """
    known = _known(conf)
    found = list(_sections(content, known))
    for entry in content.entries:
        text = _option(entry, known)
        if text:
            key = f"[{entry.group}] {entry.name}"
            found.append(errors.Mistake(entry.file, entry.line, key, text))
    return sorted(found, key=lambda one: (content.files.index(one.file), one.line or 0))


def library_opts(*libraries: str) -> list[Any]:
    """Return the options that libraries have in [DEFAULT]."""
    points = metadata.entry_points(group="oslo.config.opts")
    groups = [group for one in points if one.name in libraries for group in one.load()()]
    return [opt for name, opts in groups if name in (None, "DEFAULT") for opt in opts]


def _known(conf: Any) -> dict[str, set[str]]:
    """Names of the options of each section that something reads."""
    known: dict[str, set[str]] = {}
    for group, opts in options.list_opts():
        known.setdefault(normal(group), set()).update(_names(opts))
    libraries = library_opts("oslo.log", "oslo.service.service")
    known["DEFAULT"] = {*_names(libraries), "config_file", "config_dir"}
    for group in values.with_credentials(conf):
        try:
            section = conf[group].auth_section or group
            known.setdefault(normal(section), set()).update(
                _names(credentials.plugin_opts(conf, section))
            )
        except (cfg.Error, exceptions.NoMatchingPlugin):
            continue  # told as a mistake
    return known


def _names(opts: Iterable[Any]) -> set[str]:
    return {name for opt in opts for name in values.names(opt)}


def _sections(content: Content, known: dict[str, set[str]]) -> Iterator[errors.Mistake]:
    for file, line, section in content.sections:
        if normal(section) in known:
            continue
        if _SECTIONS.fullmatch(normal(section)):
            yield errors.Mistake(file, line, f"[{section}]", _NOT_NEEDED)
            continue
        # Others may well be somebody's credentials.
        hint = errors.nearest(normal(section), known)
        if hint:
            yield errors.Mistake(file, line, f"[{section}]", f"unknown section{hint}")


def _option(entry: OptionEntry, known: dict[str, set[str]]) -> str | None:
    names = known.get(normal(entry.group))
    if names is None or entry.name in names:
        return None
    if entry.name in _OPTIONS.get(normal(entry.group), ()):
        return _NOT_NEEDED
    return f"unknown option{errors.nearest(entry.name, names)}"
