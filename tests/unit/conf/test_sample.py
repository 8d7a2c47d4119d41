"""The sample of the configuration: the core, and the plug-ins that are a part of ratekit."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from ratekit import plugins
from ratekit.conf import sample
from ratekit.fetchers.static import StaticFetcher

SECTIONS = [
    "collect", "fetcher", "rating", "orchestrator", "database", "storage", "api", "export",
    "fetcher_keystone", "fetcher_static", "collector_gnocchi",
]  # fmt: skip


class OtherCollector:
    """A plug-in of another package."""

    @classmethod
    def options(cls) -> dict[str, list[Any]]:
        """Return one option."""
        return {"collector_other": [cfg.StrOpt("path")]}


def test_sections_have_a_fixed_order() -> None:
    assert [section for section, _ in sample.list_opts()] == SECTIONS


def test_a_section_that_authenticates_has_the_options_of_passwords() -> None:
    options = dict(sample.list_opts())
    for section in ("fetcher_keystone", "collector_gnocchi"):
        names = [opt.name for opt in options[section]]
        assert {"auth-url", "password", "cafile", "timeout"} <= set(names)
        assert len(names) == len(set(names))
    assert "password" not in [opt.name for opt in options["fetcher_static"]]


def test_plugins_of_other_packages_are_listed_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = [("ratekit.fetchers.static", StaticFetcher), ("other", OtherCollector)]
    monkeypatch.setattr(plugins, "list_installed", lambda: iter(installed))
    assert [section for section, _ in sample.list_plugin_opts()] == ["collector_other"]
    assert "collector_other" not in dict(sample.list_opts())
