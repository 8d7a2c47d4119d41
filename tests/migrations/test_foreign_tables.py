"""A database of another program is refused before anything is created in it."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.schema import METADATA
from tests.databases import new_database


def execute(url: str, *statements: str) -> None:
    """Run statements as another program would."""
    database = Database(url)
    with database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    database.close()


def table_names(url: str) -> set[str]:
    """Return the names of all tables."""
    database = Database(url)
    with database.reading() as connection:
        names = set(sa.inspect(connection).get_table_names())
    database.close()
    return names


def read_refusal(url: str) -> str:
    """Return the line with which two upgrades in turn refuse; neither creates anything."""
    before = table_names(url)
    lines = set()
    for _ in range(2):
        with pytest.raises(errors.OperatorError) as caught:
            migrate.upgrade(url)
        lines.add(str(caught.value))
        assert table_names(url) == before
        assert "\n" not in str(caught.value)
    (line,) = lines
    assert "[database] connection" in line
    return line


@pytest.mark.parametrize("name", sorted(METADATA.tables))
def test_a_table_with_the_name_of_one_of_ratekits_is_another_programs(name: str, url: str) -> None:
    execute(url, f"CREATE TABLE {name} (x int)")
    assert f"has tables of another program ({name})" in read_refusal(url)


def test_a_database_of_cloudkitty_is_told_by_its_name(url: str) -> None:
    execute(url, "CREATE TABLE cloudkitty_alembic (version_num varchar(32))")
    assert "is CloudKitty's database" in read_refusal(url)


@pytest.mark.parametrize("revision", ["5a1b2c3d4e5f", "train", "heads>0001"])
def test_a_revision_of_another_program_is_not_called_a_newer_one(revision: str, url: str) -> None:
    execute(
        url,
        "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)",
        f"INSERT INTO alembic_version VALUES ('{revision}')",
    )
    assert f"is at revision {revision} of another program" in read_refusal(url)


def test_other_tables_beside_ratekits_are_no_hindrance(url: str) -> None:
    execute(url, "CREATE TABLE invoices (x int)")
    migrate.upgrade(url)
    revisions.check(url)


def test_cloudkittys_own_schema_is_refused_before_the_first_table(tmp_path: pathlib.Path) -> None:
    if importlib.util.find_spec("cloudkitty") is None:
        reason = "no CloudKitty: pip install ratekit's extra 'differential'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with new_database("mariadb", tmp_path) as url:
        conf = tmp_path / "cloudkitty.conf"
        conf.write_text(
            f"[database]\nconnection = {Database(url).engine.url.render_as_string(False)}\n"
        )
        command = pathlib.Path(sys.executable).with_name("cloudkitty-dbsync")
        subprocess.run(
            [command, "--config-file", conf, "upgrade"],
            check=True,
            capture_output=True,
            timeout=300,
        )
        assert {"cloudkitty_alembic", "hashmap_mappings"} & table_names(url)
        read_refusal(url)
