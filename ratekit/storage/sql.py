"""The storage: its parts on one database."""

from __future__ import annotations

from typing import Any

from ratekit.interfaces import Storage
from ratekit.storage import revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger.ledger import SqlLedger
from ratekit.storage.ledger.purge import SqlPurge
from ratekit.storage.ledger.scope_admin import SqlScopeAdmin
from ratekit.storage.ledger.scopes import ScopeOrigin
from ratekit.storage.reports.monitoring import SqlMonitoring
from ratekit.storage.reports.reports import SqlReports
from ratekit.storage.rules.store import SqlRules
from ratekit.storage.tasks.queue import SqlTasks
from ratekit.storage.tasks.swap import SqlTaskLedger


def open_storage(
    url: str,
    *,
    scope_key: str,
    fetcher: str,
    collector: str,
    statement_timeout: float | None = None,
    connections: int | None = None,
) -> Storage:
    """Open a database that is at the newest revision.

    No connection stays open after this call, so the process may fork.

    :param url: SQLAlchemy URL
    :param scope_key: only scopes of this key are rated and reported
    :param fetcher: name that is stored with new scopes, for people
    :param collector: likewise
    :param statement_timeout: seconds that each statement of a report may take; None: ten minutes,
        as any other
    :param connections: how many stay open: as many as there are threads; None: five
    :raises ratekit.errors.OperatorError: the database cannot be used
    :raises ratekit.errors.TryLater: the database did not answer
    """
    database = Database(url, needs=revisions.head(), connections=connections)
    revisions.require_head(database)
    origin = ScopeOrigin(scope_key=scope_key, fetcher=fetcher, collector=collector)
    return Storage(
        ledger=SqlLedger(database, origin),
        rules=SqlRules(database),
        reports=SqlReports(database, scope_key, statement_timeout),
        # SQLite has one writer at a time; a second process would only wait for the first.
        processes=1 if database.engine.dialect.name == "sqlite" else None,
        scopes=SqlScopeAdmin(database, scope_key),
        tasks=SqlTasks(database, scope_key),
        task_ledger=SqlTaskLedger(database, scope_key),
        monitoring=SqlMonitoring(database, scope_key),
        purge=SqlPurge(database),
    )


def build_storage(
    conf: Any, statement_timeout: float | None = None, connections: int | None = None
) -> Storage:
    """Open the database that ``conf`` names.

    :param conf: a loaded ``ConfigOpts``
    :param statement_timeout: as of :func:`open_storage`
    :param connections: likewise
    :raises: as :func:`open_storage`
    """
    return open_storage(
        conf.database.connection,
        scope_key=conf.collect.scope_key,
        fetcher=conf.fetcher.backend,
        collector=conf.collect.collector,
        statement_timeout=statement_timeout,
        connections=connections,
    )
