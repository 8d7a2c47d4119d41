"""Plug-ins are found by name; a wrong name or a broken plug-in is one sentence."""

import pathlib
import sys
from collections.abc import Callable

import pytest
from oslo_config import cfg

from ratekit import errors, interfaces, plugins
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.fetchers.keystone import KeystoneFetcher
from ratekit.fetchers.static import StaticFetcher
from ratekit.rating.hashmap import Hashmap
from ratekit.rating.noop import Noop

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with entry points and modules on sys.path."""
    monkeypatch.syspath_prepend(tmp_path)
    # stevedore caches entry points by the folders of sys.path.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(name: str, entry_points: str, **modules: str) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        for module, text in modules.items():
            (tmp_path / f"{module}.py").write_text(text)
        sys.path_importer_cache.clear()

    return write


@pytest.mark.parametrize(
    ("namespace", "name", "plugin", "interface"),
    [
        (plugins.FETCHERS, "keystone", KeystoneFetcher, interfaces.Fetcher),
        (plugins.FETCHERS, "static", StaticFetcher, interfaces.Fetcher),
        (plugins.COLLECTORS, "gnocchi", GnocchiCollector, interfaces.Collector),
        (plugins.RATING, "hashmap", Hashmap, interfaces.RatingModule),
        (plugins.RATING, "noop", Noop, interfaces.RatingModule),
    ],
)
def test_ratekits_own_plugins_are_found(
    namespace: str, name: str, plugin: type, interface: type
) -> None:
    assert plugins.load(namespace, name) is plugin
    assert issubclass(plugin, interface)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(errors.OperatorError) as caught:
        plugins.load(plugins.FETCHERS, "keystne")
    assert str(caught.value) == (
        "[fetcher] backend: unknown plug-in 'keystne' (did you mean 'keystone'?); "
        "known: keystone, static"
    )


def test_only_the_named_plugin_is_imported(install: Install) -> None:
    install(
        "pair",
        "[ratekit.tests.five]\nfirst = pair_first:Plugin\nsecond = pair_second:Plugin\n",
        pair_first="class Plugin:\n    pass\n",
        pair_second="class Plugin:\n    pass\n",
    )
    plugins.load("ratekit.tests.five", "first")
    assert "pair_first" in sys.modules
    assert "pair_second" not in sys.modules


def test_ratekits_own_plugins_are_installed_in_a_fixed_order() -> None:
    classes = [
        plugin for module, plugin in plugins.list_installed() if module.startswith("ratekit.")
    ]
    assert classes == [KeystoneFetcher, StaticFetcher, GnocchiCollector, Hashmap, Noop]


def test_options_are_registered_once() -> None:
    conf = cfg.ConfigOpts()
    assert plugins.register_options(conf, StaticFetcher)
    assert not plugins.register_options(conf, StaticFetcher)
    assert conf.fetcher_static.scopes == []


def test_a_plugin_needs_no_options() -> None:
    conf = cfg.ConfigOpts()
    assert not plugins.register_options(conf, Noop)
    assert conf.list_all_sections() == []


def test_a_namespace_without_plugins_says_so() -> None:
    with pytest.raises(errors.OperatorError, match=r"unknown plug-in 'x'; known: none\Z"):
        plugins.load("ratekit.tests.nothing", "x")


def test_a_plugin_of_another_package_is_found(install: Install) -> None:
    install("other", "[ratekit.tests.one]\nmine = other_one:Mine\n",
            other_one="class Mine:\n    pass\n")  # fmt: skip
    assert plugins.load("ratekit.tests.one", "mine").__name__ == "Mine"


def test_a_plugin_that_cannot_be_imported_says_why_in_one_sentence(install: Install) -> None:
    install(
        "broken",
        "[ratekit.tests.two]\nbad = broken_two:Bad\ngood = broken_good:Good\n",
        broken_two="import a_module_that_nobody_has\n",
        broken_good="class Good:\n    pass\n",
    )
    with pytest.raises(errors.OperatorError) as caught:
        plugins.load("ratekit.tests.two", "bad")
    assert str(caught.value) == (
        "ratekit.tests.two: plug-in 'bad' cannot be loaded: "
        "No module named 'a_module_that_nobody_has'"
    )


def test_a_broken_plugin_does_not_stand_in_the_way_of_another(install: Install) -> None:
    install(
        "half",
        "[ratekit.tests.three]\nbad = half_bad:Bad\ngood = half_good:Good\n",
        half_bad="raise RuntimeError('no\\nway')\n",
        half_good="class Good:\n    pass\n",
    )
    assert plugins.load("ratekit.tests.three", "good").__name__ == "Good"
    with pytest.raises(errors.OperatorError, match="cannot be loaded: no way"):
        plugins.load("ratekit.tests.three", "bad")
    with pytest.raises(errors.OperatorError, match=r"unknown plug-in 'ugly'; known: bad, good\Z"):
        plugins.load("ratekit.tests.three", "ugly")


def test_two_plugins_of_one_name_are_refused(install: Install) -> None:
    module = "class Mine:\n    pass\n"
    install("first", "[ratekit.tests.four]\nmine = four_one:Mine\n", four_one=module)
    install("second", "[ratekit.tests.four]\nmine = four_two:Mine\n", four_two=module)
    with pytest.raises(errors.OperatorError, match="2 plug-ins are named 'mine'"):
        plugins.load("ratekit.tests.four", "mine")
