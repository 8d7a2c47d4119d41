"""Scopes of the configuration."""

from oslo_config import cfg

from ratekit import conf as core
from ratekit import plugins
from ratekit.domain.scope import Scope
from ratekit.fetchers.static import StaticFetcher


def load(scopes: list[str]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    plugins.register_options(conf, StaticFetcher)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    conf.set_override("scopes", scopes, group="fetcher_static")
    return conf


def test_each_scope_is_listed_once_in_its_order() -> None:
    fetcher = StaticFetcher.from_conf(load(["b", "a", "b"]))
    assert list(fetcher.scopes()) == [Scope("b"), Scope("a")]


def test_an_empty_list_of_scopes_is_a_mistake() -> None:
    assert list(StaticFetcher.check_conf(load([]))) == [
        ("fetcher_static", "scopes", "is empty; expected ids separated by commas")
    ]
    assert list(StaticFetcher.check_conf(load(["a"]))) == []
