"""Price rules and their history: the ``hashmap_*`` tables."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.rules.catalog import NO_NAMES, Catalog, NameChange
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.interfaces import RuleStore
from ratekit.storage.db.engine import Database
from ratekit.storage.rules import catalog, history
from ratekit.storage.rules import names as name_rows
from ratekit.storage.rules import rows as rule_rows
from ratekit.storage.rules import version as versions
from ratekit.storage.rules.names import NameIds
from ratekit.storage.schema import SCOPES

#: How often a change of the rules is tried while commits of frames are in its way.
_ATTEMPTS = 20


class SqlRules(RuleStore):
    """Stores rules; a rule is closed, but never changed or deleted otherwise.

    :param database: at the newest revision
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, last_book: RuleBook | None = None) -> RuleBook:
        """Return all rules, by three queries, or ``last_book``, by one, if nothing has changed."""
        with self._database.reading() as connection:
            version = versions.read(connection)
            if last_book is not None and last_book.version == version:
                return last_book
            rules = [
                rule_rows.read_rule(row)
                for table in rule_rows.TABLES
                for row in connection.execute(
                    rule_rows.select_rules(table).order_by(table.c.id)
                ).mappings()
            ]
        return RuleBook(version, tuple(rules))

    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated_since: datetime.datetime | None = None,
        names: NameChange = NO_NAMES,
    ) -> int:
        """Close and add rules and record it, in one transaction; commits of frames wait for it.

        :raises ValueError: a rule to close is not stored
        """
        for _ in range(_ATTEMPTS - 1):
            # On a Galera cluster a commit of frames that was first ends the change.
            with contextlib.suppress(errors.Conflict):
                return self._change(version, close, add, note, unrated_since, names)
        return self._change(version, close, add, note, unrated_since, names)

    def _change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated_since: datetime.datetime | None,
        names: NameChange,
    ) -> int:
        with self._database.writing() as connection:
            # First, because it locks the rules for all other writers.
            new_version = versions.advance(connection, version)
            if unrated_since is not None:
                _require_unrated(connection, unrated_since)
            history.write_change(connection, new_version, note)
            _close(connection, close, note.made_at)
            history.write_closed(connection, new_version, close)
            before = history.read_highest_ids(connection)
            ids = name_rows.show(connection, add, names)
            _add(connection, add, ids, note.made_at)
            history.write_opened(connection, new_version, before)
            name_rows.hide(connection, names.hide)
        return new_version

    def catalog(self, last_catalog: Catalog | None = None) -> Catalog:
        """Return the catalog, by eight queries, or ``last_catalog``, by one, if it is current."""
        with self._database.reading() as connection:
            version = versions.read(connection)
            if last_catalog is not None and last_catalog.book.version == version:
                return last_catalog
            return catalog.read(connection, version)

    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        """Return the changes, newest first, by three queries."""
        with self._database.reading() as connection:
            return history.read(connection, limit)

    def last_rated_end(self) -> datetime.datetime | None:
        """Return the end of the last period that was rated for any scope, active or not.

        Each commit records it, for silent scopes too. The time at which a scope starts or resumes
        does not count.
        """
        with self._database.reading() as connection:
            return _read_last_rated_end(connection)


def _read_last_rated_end(connection: sa.Connection) -> datetime.datetime | None:
    query = sa.select(sa.func.max(SCOPES.c.last_rated))
    end: datetime.datetime | None = connection.execute(query).scalar()
    return end


def _require_unrated(connection: sa.Connection, since: datetime.datetime) -> None:
    rated_end = _read_last_rated_end(connection)
    if rated_end is not None and rated_end > since:
        raise errors.OutdatedRules(
            "usage has been rated since the change was planned; nothing was written: repeat the "
            "command"
        )


def _close(
    connection: sa.Connection,
    close: Collection[tuple[Rule, datetime.datetime]],
    now: datetime.datetime,
) -> None:
    if any(rule.id is None for rule, _ in close):
        raise ValueError("only a rule that was read from the store can be closed")
    for table in rule_rows.TABLES:
        statement = (
            table.update()
            .where(table.c.id == sa.bindparam("rule_id"))
            .values(end=sa.bindparam("until"), closed_at=now)
        )
        rows = [
            {"rule_id": rule.id, "until": end}
            for rule, end in close
            if rule_rows.find_table(rule) is table
        ]
        if rows and connection.execute(statement, rows).rowcount != len(rows):
            raise ValueError("a rule to close is not in the store")


def _add(
    connection: sa.Connection, add: Collection[Rule], ids: NameIds, now: datetime.datetime
) -> None:
    for table in rule_rows.TABLES:
        rows = [
            {**rule_rows.write_rule(rule), **ids.columns(rule), "created_at": now}
            for rule in add
            if rule_rows.find_table(rule) is table
        ]
        if rows:
            connection.execute(table.insert(), rows)
