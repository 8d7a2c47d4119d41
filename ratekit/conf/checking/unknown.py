"""Options and sections that ratekit does not read: misspelt ones, and CloudKitty's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ratekit import conf as core
from ratekit import errors
from ratekit.conf import api
from ratekit.conf.checking.source import Content, OptionEntry, normal
from ratekit.conf.checking.values import option_names

_NOT_NEEDED = "is CloudKitty's; ratekit does not need it"
#: Sections of CloudKitty 25, of older releases, and of the libraries that it uses.
_SECTIONS = re.compile(
    r"ks_auth|keystone_fetcher|tenant_fetcher|gnocchi_collector"
    r"|ceilometer_collector|state|storage|output|ssl|profiler|cache|coordination"
    r"|fetcher_(gnocchi|prometheus|source)|collector_(aetos|prometheus|monasca)"
    r"|storage_(influxdb|elasticsearch|opensearch|gnocchi|loki|monasca)|hybrid_storage"
    r"|oslo_(concurrency|db|limit|log|messaging\w*|reports|service|versionedobjects)"
)
_DATABASE = frozenset(
    """backend connection_debug connection_parameters connection_recycle_time connection_trace
    db_inc_retry_interval db_max_retries db_max_retry_interval db_retry_interval max_overflow
    max_pool_size max_retries mysql_sql_mode mysql_wsrep_sync_wait pool_timeout retry_interval
    slave_connection sqlite_synchronous synchronous_reader use_db_reconnect
    use_tpool""".split()  # noqa: SIM905 - legible as it is
)
_DEFAULT = frozenset(
    """api_paste_config control_exchange executor_thread_pool_size fatal_deprecations host
    pecan_debug rpc_conn_pool_size rpc_ping_enabled rpc_response_timeout state_path
    transport_url verbose""".split()  # noqa: SIM905
)
_SESSION = frozenset({"collect_timing", "split_loggers"})
#: What ratekit has in the place of options of the API.
_INSTEAD = {
    ("DEFAULT", "auth_strategy"): "[api] auth_strategy",
    ("api", "host_ip"): "[api] host",
    ("oslo_middleware", "max_request_body_size"): "[api] max_body",
}
_OPTIONS = {
    "api": frozenset({"pecan_debug"}),
    "collect": frozenset({"services", "window"}),
    "collector_gnocchi": _SESSION | {"http_pool_maxsize", "region_name"},
    "database": _DATABASE,
    "DEFAULT": _DEFAULT,
    "fetcher_keystone": _SESSION | {"keystone_version"},
    "orchestrator": frozenset(
        {
            "collector_request_timeout", "max_greenthreads", "max_threads",
            "max_workers", "max_workers_reprocessing",
        }
    ),
    "storage": frozenset({"backend", "version"}),
}  # fmt: skip


Names = Mapping[str, Collection[str]]


def find_misspelt(content: Content, names: Names) -> list[errors.Mistake]:
    """Return options and sections that nothing reads and that resemble others.

    :param names: the options that something may read, by section
    """
    mistakes = []
    for file, line, section in content.sections:
        if not _is_known(section, names) and not _SECTIONS.fullmatch(normal(section)):
            # A section that resembles none may have credentials that auth_section names.
            hint = errors.suggestion(normal(section), {*names, *api.MIDDLEWARE})
            text = f"unknown section{hint}"
            mistakes += [errors.Mistake(file, line, f"[{section}]", text)] if hint else []
    for entry in _find_unread(content, names):
        if not _is_foreign(entry):
            text = f"unknown option{errors.suggestion(entry.name, names[normal(entry.group)])}"
            mistakes.append(_mistake(entry, text))
    return mistakes


def find_misspelt_core(content: Content) -> list[errors.Mistake]:
    """Return misspelt options of the core, without knowing those of plug-ins and libraries.

    Sections whose names have an underscore are left to plug-ins, and [DEFAULT] to libraries.
    """
    names = option_names((normal(section), opts) for section, opts in core.list_opts())
    return remove_plugins(find_misspelt(content, names))


def remove_plugins(
    mistakes: Collection[errors.Mistake], others: Collection[str] = ()
) -> list[errors.Mistake]:
    """Return the mistakes without those in sections that plug-ins may have.

    :param others: sections that are no plug-ins', although their names look like it
    """
    return [
        mistake
        for mistake in mistakes
        if "_" not in (section := mistake.key.partition("]")[0][1:]) or normal(section) in others
    ]


def find_foreign(content: Content, names: Names) -> list[errors.Mistake]:
    """Return CloudKitty's options and sections that ratekit does not need.

    :param names: the options that something may read, by section
    """
    mistakes = [
        errors.Mistake(file, line, f"[{section}]", _NOT_NEEDED)
        for file, line, section in content.sections
        if not _is_known(section, names) and _SECTIONS.fullmatch(normal(section))
    ]
    entries = _find_unread(content, names)
    return mistakes + [_mistake(entry, _remedy(entry)) for entry in entries if _is_foreign(entry)]


def _is_known(section: str, names: Names) -> bool:
    """Return whether something reads a section: this process, or ratekit-api."""
    return normal(section) in names or normal(section) in api.MIDDLEWARE


def _find_unread(content: Content, names: Names) -> Iterator[OptionEntry]:
    """Yield the options that nothing reads, of sections that something reads."""
    for entry in content.entries:
        if entry.name not in names.get(normal(entry.group), (entry.name,)):
            yield entry


def _is_foreign(entry: OptionEntry) -> bool:
    section = normal(entry.group)
    return entry.name in _OPTIONS.get(section, ()) or (section, entry.name) in _INSTEAD


def _remedy(entry: OptionEntry) -> str:
    option = _INSTEAD.get((normal(entry.group), entry.name))
    return _NOT_NEEDED if option is None else f"is CloudKitty's; use {option}"


def _mistake(entry: OptionEntry, text: str) -> errors.Mistake:
    return errors.Mistake(entry.file, entry.line, f"[{entry.group}] {entry.name}", text)
