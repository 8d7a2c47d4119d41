"""Reports start fast: they import only what they use."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ratekit.storage import migrate

#: Libraries that take long to import, and parts of ratekit that import some of them.
HEAVY = (
    "alembic",
    "eventlet",
    "keystoneauth1",
    "mako",
    "oslo_log.log",
    "openstack",
    "oslo_service",
    "psycopg",
    "pydantic",
    "pymysql",
    "requests",
    "yaml",
    "ratekit.collectors",
    "ratekit.composition",
    "ratekit.processing",
    "ratekit.remote",
    "ratekit.storage.migrate",
)
SCRIPT = """
import sys
from ratekit.cmd import launch
code = launch.ratekit()
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run ``ratekit`` in a process that then lists its modules on standard error."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "words",
    ["scope list", "scope list -f json", "summary", "summary --groupby day -f csv", "frame list"],
)
def test_a_report_imports_no_library_that_it_does_not_use(
    config: pathlib.Path, usage: None, words: str
) -> None:
    result = run("--config-file", str(config), *words.split())
    assert result.returncode == 0, result.stderr
    modules = result.stderr.split()
    assert "sqlalchemy" in modules
    assert {name for name in HEAVY if name in modules} == set()


def test_a_migration_imports_alembic(tmp_path: pathlib.Path) -> None:
    """The names in :data:`HEAVY` are names of modules."""
    migrate.upgrade(f"sqlite:///{tmp_path}/ratekit.sqlite")
    assert {"alembic", "mako", "ratekit.storage.migrate"} <= sys.modules.keys()


def test_a_command_of_another_name_is_not_imported(config: pathlib.Path, usage: None) -> None:
    modules = run("--config-file", str(config), "scope", "list").stderr.split()
    assert "ratekit.cmd.scope" in modules
    assert "ratekit.cmd.summary" not in modules
