"""Scopes that the configuration names."""

import pytest
from oslo_config import cfg

from ratekit import conf as options
from ratekit import errors
from ratekit.domain.scope import Scope
from ratekit.fetchers.static import StaticFetcher


def fetcher(scopes: list[str]) -> StaticFetcher:
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    conf.set_override("scopes", scopes, group="fetcher_static")
    return StaticFetcher.from_conf(conf)


def test_each_scope_is_listed_once_in_its_order() -> None:
    assert list(fetcher(["b", "a", "b"]).scopes()) == [Scope("b"), Scope("a")]


def test_no_scope_at_all_is_a_mistake() -> None:
    with pytest.raises(errors.OperatorError, match=r"\[fetcher_static\] scopes is empty; expected"):
        fetcher([])
