"""The tables that migrations make are those the code knows, and data lives through them."""

from __future__ import annotations

import datetime
import pathlib
import re
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.schema import DAILY_TOTALS, METADATA, SCOPES
from tests.contract.given import reopen
from tests.databases import new_database

#: Rows that a database may hold at each revision, as SQL of that time.
ROWS = {
    "0001": (
        "INSERT INTO scopes VALUES (1, 'project_id', 'a', 'A', 'keystone', 'gnocchi',"
        " '2026-03-01 01:00:00.000000', '2026-03-01 01:00:00.000000',"
        " '2026-03-01 01:30:00.000000', true, 0, NULL, NULL)",
        "INSERT INTO descriptors VALUES (1, 'instance', 'instance', '{\"id\":\"1\"}', '{}', 'x')",
        "INSERT INTO frames VALUES (1, '2026-03-01 00:00:00.000000', 1, '1', '0.1')",
        "INSERT INTO totals VALUES"
        " (1, '2026-03-01 00:00:00.000000', 'instance', 'instance', 1, '1', '0.1')",
        "UPDATE hashmap_versions SET version = 7",
        "INSERT INTO hashmap_services VALUES (1, 'instance')",
        "INSERT INTO hashmap_fields VALUES (1, 1, 'flavor_name')",
        "INSERT INTO hashmap_groups VALUES (1, 'uptime')",
        "INSERT INTO hashmap_mappings VALUES (1, NULL, 1, 1, NULL, '0.1', 'flat', NULL, NULL,"
        " '2026-02-01 00:00:00.000000', NULL, 'm1.small')",
        "INSERT INTO hashmap_thresholds VALUES (1, 1, NULL, NULL, 'a', '0.9', 'rate',"
        " '2026-02-01 00:00:00.000000', NULL, '2026-02-01 00:00:00.000000', NULL, '1000')",
    ),
    "0002": ("UPDATE scopes SET deactivated_at = '2026-03-01 01:45:00.000000'",),
    "0003": ("INSERT INTO gaps VALUES (1, 1, '2026-03-01 00:30:00.000000', NULL)",),
    "0004": (
        "INSERT INTO metric_sets VALUES (1, 'x', '[\"instance\"]')",
        "INSERT INTO metric_set_changes VALUES (1, '2026-03-01 00:00:00.000000', 1)",
        "UPDATE scopes SET metric_set_id = 1",
    ),
    "0005": (
        "INSERT INTO exclusions VALUES (1, 1, 'instance', 'r1', '2026-03-01 00:00:00.000000',"
        " '2026-03-01 01:00:00.000000', 'why', 'what to do')",
    ),
    "0006": (
        "INSERT INTO hashmap_changes VALUES (7, '2026-02-01 00:00:00.000000', 'ann', NULL, false)",
        "INSERT INTO hashmap_change_lines VALUES (1, 7, 'open', 1, NULL, NULL, NULL)",
        "INSERT INTO hashmap_change_lines VALUES"
        " (2, 7, 'close', NULL, 1, NULL, '2026-03-01 00:00:00.000000')",
    ),
    "0007": (
        "INSERT INTO tasks VALUES (1, 1, '2026-03-01 00:00:00.000000',"
        " '2026-03-01 01:00:00.000000', 3600, 'collect', false, 'why', 'ann',"
        " '2026-03-01 01:50:00.000000', '2026-03-01 01:00:00.000000', 'done', 0, NULL, NULL,"
        " '2026-03-01 01:55:00.000000')",
        "INSERT INTO task_periods VALUES (1, '2026-03-01 00:00:00.000000', 'swapped', NULL, 1,"
        " '0.1', 2, '0.2', '2026-03-01 01:55:00.000000')",
    ),
    "0008": ("UPDATE frames SET whole = '3', share = '0.333333333333333333'",),
    "0009": (
        "INSERT INTO hashmap_mappings VALUES (2, NULL, 1, 1, NULL, '0.1', 'flat', NULL, NULL,"
        " '2026-02-01 00:00:00.000000', NULL, '', true)",
    ),
    "0010": ("INSERT INTO rule_reads VALUES (1, 7)",),
    "0011": (
        "INSERT INTO stopped_usage VALUES (1, 'instance', '2026-03-01 00:00:00.000000')",
        "INSERT INTO processors VALUES ('project_id', 'host', '2026-03-01 00:00:00.000000',"
        " '2026-03-01 02:00:00.000000', NULL, NULL, NULL)",
    ),
    "0012": ("UPDATE purge_mark SET frames_until = '2026-02-01 00:00:00.000000'",),
    "0013": (
        "INSERT INTO scope_lists VALUES ('project_id', '2026-03-01 03:00:00.000000')",
        "UPDATE scopes SET is_listed = true",
    ),
    "0014": (
        "UPDATE hashmap_mappings SET line = 1, name = 'n', description = 'why' WHERE id = 2",
        "UPDATE hashmap_thresholds SET line = 1",
        "UPDATE hashmap_fields SET hidden = true",
        # Totals of the day before, and one more of the day of the first.
        "INSERT INTO totals VALUES (1, '2026-02-28 23:00:00.000000', 'instance', 'instance', 3,"
        " '0.000000000000000001', '0.7')",
        "INSERT INTO totals VALUES (1, '2026-03-01 23:00:00.000000', 'instance', 'instance', 2,"
        " '10000000000000000000000.1', '0.0000000000000000000000000002')",
    ),
    # The migration fills the table.
    "0015": (),
}


MARCH_1 = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
FEBRUARY_28 = MARCH_1 - datetime.timedelta(days=1)


def move(url: str, revision: str | None) -> None:
    """Bring the database to a revision, up or down."""
    with Database(url).writing() as connection:
        migrate.move(connection, revision)


def test_there_are_rows_for_every_revision() -> None:
    assert set(ROWS) == set(revisions.revisions())


def test_data_survives_every_upgrade_and_downgrade(url: str) -> None:
    for revision in revisions.revisions():
        move(url, revision)
        with Database(url).writing() as connection:
            for statement in ROWS[revision]:
                connection.exec_driver_sql(statement)
    storage = reopen(url)
    (scope,) = storage.reports.scopes(ALL_SCOPES)
    assert (scope.id, scope.last_seen) == (
        "a",
        datetime.datetime(2026, 3, 1, 3, tzinfo=datetime.UTC),
    )
    book = storage.rules.read()
    assert (book.version, len(book.rules)) == (7, 3)
    with Database(url).reading() as connection:
        tables = {table.name for table in METADATA.sorted_tables}
        filled = {
            name
            for name in tables
            if connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar()
        }
        assert filled == tables
        assert connection.execute(sa.select(DAILY_TOTALS)).all() == [
            (1, FEBRUARY_28, "instance", "instance", 3, Decimal("1E-18"), Decimal("0.7")),
            (
                *(1, MARCH_1, "instance", "instance", 3),
                Decimal("10000000000000000000001.1"),
                Decimal("0.1000000000000000000000000002"),
            ),
        ]
    for earlier in [None, *revisions.revisions()][-2::-1]:
        move(url, earlier)
        if earlier == "0012":
            with Database(url).reading() as connection:
                last_seen = connection.execute(sa.select(SCOPES.c.last_seen)).scalar_one()
                assert last_seen == datetime.datetime(2026, 3, 1, 3, tzinfo=datetime.UTC)
        if earlier == "0008":
            with Database(url).reading() as connection:
                query = "SELECT value FROM hashmap_mappings ORDER BY id"
                # Not the empty text, which would match other labels.
                assert connection.exec_driver_sql(query).scalars().all() == ["m1.small", "None"]
    assert revisions.current(url) is None
    with Database(url).reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    move(url, revisions.head())
    assert reopen(url).rules.read().version == 0


def test_the_code_knows_the_tables_that_migrations_make(url: str) -> None:
    migrate.upgrade(url)
    with Database(url).reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_keys_checks_and_collations_as_the_code_would(
    backend: str, url: str, tmp_path: pathlib.Path
) -> None:
    migrate.upgrade(url)
    with new_database(backend, tmp_path) as other_url:
        with Database(other_url).writing() as connection:
            METADATA.create_all(connection)
        assert shape(url) == shape(other_url)


def shape(url: str) -> dict[str, Any]:
    """Return all that the database tells about its tables."""
    with Database(url).reading() as connection:
        inspector = sa.inspect(connection)
        return {
            table.name: {
                "columns": [
                    (
                        column["name"],
                        repr(column["type"]),
                        column["nullable"],
                        column.get("default"),
                        column.get("autoincrement"),
                    )
                    for column in inspector.get_columns(table.name)
                ],
                "primary key": inspector.get_pk_constraint(table.name),
                "foreign keys": by_name(inspector.get_foreign_keys(table.name)),
                "unique": by_name(inspector.get_unique_constraints(table.name)),
                "checks": by_name(inspector.get_check_constraints(table.name)),
                "indexes": by_name(inspector.get_indexes(table.name)),
                "options": inspector.get_table_options(table.name),
            }
            for table in METADATA.sorted_tables
        }


def by_name(rows: list[Any]) -> list[Any]:
    """Sort what is found in no particular order."""
    return sorted(rows, key=lambda row: str(row["name"]))


class TestCheck:
    def test_a_database_without_tables_names_the_command_to_run(self, url: str) -> None:
        with pytest.raises(errors.OperatorError, match="ratekit-dbsync upgrade"):
            revisions.check(url)
        with pytest.raises(errors.OperatorError, match="ratekit-dbsync upgrade"):
            reopen(url)
        assert revisions.current(url) is None

    def test_an_older_revision_names_both_and_the_command_to_run(self, url: str) -> None:
        earlier, newest = revisions.revisions()[-2:]
        move(url, earlier)
        for work in (revisions.check, reopen):
            with pytest.raises(errors.OperatorError, match="ratekit-dbsync upgrade") as caught:
                work(url)
            assert {earlier, newest} <= set(re.findall(r"[0-9]{4}", str(caught.value)))
            assert "\n" not in str(caught.value)

    def test_upgrading_twice_does_no_harm(self, url: str) -> None:
        migrate.upgrade(url)
        migrate.upgrade(url)
        revisions.check(url)
        assert revisions.current(url) == revisions.head()

    def test_a_database_of_a_newer_ratekit_is_not_changed(self, url: str) -> None:
        migrate.upgrade(url)
        with Database(url).writing() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        for work in (revisions.check, migrate.upgrade):
            with pytest.raises(errors.OperatorError, match="newer than this ratekit") as caught:
                work(url)
            assert "\n" not in str(caught.value)
