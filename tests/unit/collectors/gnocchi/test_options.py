"""Options of [collector_gnocchi] that must fit together, and whose credentials are used."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from ratekit import plugins
from ratekit.collectors.gnocchi import options
from ratekit.collectors.gnocchi.collector import GnocchiCollector


def load(**values: Any) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    plugins.register_options(conf, GnocchiCollector)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        conf.set_override(name, value, group=options.GROUP)
    return conf


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, []),
        ({"gnocchi_auth_type": "basic"}, ["gnocchi_endpoint", "gnocchi_user"]),
        ({"gnocchi_auth_type": "basic", "gnocchi_endpoint": "http://g:8041"}, ["gnocchi_user"]),
        ({"gnocchi_endpoint": "g:8041"}, ["gnocchi_endpoint"]),
    ],
)
def test_each_option_that_does_not_fit_is_named(values: dict[str, Any], names: list[str]) -> None:
    assert [name for _, name, _ in GnocchiCollector.check_conf(load(**values))] == names


def test_only_keystone_needs_credentials() -> None:
    assert GnocchiCollector.credential_sections(load()) == [options.GROUP]
    assert GnocchiCollector.credential_sections(load(gnocchi_auth_type="basic")) == []
