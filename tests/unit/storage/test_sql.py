"""How the storage is opened."""

from __future__ import annotations

import pathlib

import pytest
from oslo_config import cfg

from ratekit import conf as core
from ratekit import errors, interfaces
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.storage import migrate
from ratekit.storage.sql import build_storage


def load(path: pathlib.Path) -> cfg.ConfigOpts:
    """Return a configuration of a database."""
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    conf([], project="ratekit", default_config_files=[])
    conf.set_override("connection", f"sqlite:///{path}", group="database")
    return conf


def test_a_migrated_database_opens(tmp_path: pathlib.Path) -> None:
    conf = load(tmp_path / "ratekit.sqlite")
    migrate.upgrade(conf.database.connection)
    storage = build_storage(conf)
    assert isinstance(storage, interfaces.Storage)
    assert storage.reports.scopes(ALL_SCOPES) == []
    assert storage.processes == 1


def test_a_database_without_tables_says_what_to_run(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.OperatorError, match="run ratekit-dbsync upgrade"):
        build_storage(load(tmp_path / "ratekit.sqlite"))
