"""Plug-ins that a command builds: their options are checked then."""

from __future__ import annotations

import pathlib

import pytest

from ratekit import composition, concurrency, errors
from ratekit.cmd import configuration

METRICS = "metrics: {instance: {unit: u, extra_args: {resource_type: i}}}\n"


@pytest.fixture
def path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file r.conf in the current folder."""
    monkeypatch.chdir(tmp_path)
    return pathlib.Path("r.conf")


def test_a_wrong_value_is_reported_with_its_line(path: pathlib.Path) -> None:
    path.write_text("[collect]\n[collector_gnocchi]\ntimeout = soon\nmax_backlog = -1\n")
    conf = configuration.load("ratekit-test", ["--config-file", str(path)])
    with pytest.raises(errors.BadInput) as caught:
        composition.build_collector(conf, offline=True)
    assert [(mistake.line, mistake.key) for mistake in caught.value.mistakes] == [
        (3, "[collector_gnocchi] timeout"),
        (4, "[collector_gnocchi] max_backlog"),
    ]


def test_options_that_do_not_fit_together_are_reported(path: pathlib.Path) -> None:
    path.write_text("[fetcher]\nbackend = static\n[fetcher_static]\n")
    conf = configuration.load("ratekit-test", ["--config-file", str(path)])
    with pytest.raises(errors.BadInput) as caught:
        composition.build_fetcher(conf)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "r.conf:3: [fetcher_static] scopes: is empty; expected ids separated by commas"
    ]


def test_a_collector_without_credentials_describes_metrics(path: pathlib.Path) -> None:
    path.write_text("[collect]\n")
    conf = configuration.load("ratekit-test", ["--config-file", str(path)])
    assert composition.build_collector(conf, offline=True)
    with pytest.raises(errors.OperatorError, match=r"\[collector_gnocchi\] auth_type is not set"):
        composition.build_collector(conf)


@pytest.mark.parametrize(
    ("section", "requires_rules"),
    [
        ("", True),
        ("modules = noop, hashmap\n", True),
        ("modules = noop\n", False),
        ("without_rules = free\n", False),
    ],
)
def test_rules_are_required_where_only_they_price(
    path: pathlib.Path, section: str, requires_rules: bool
) -> None:
    """CloudKitty's configuration has none of these options."""
    (path.parent / "metrics.yml").write_text(METRICS)
    path.write_text(f"[collect]\nmetrics_conf = metrics.yml\n[rating]\n{section}")
    conf = configuration.load("ratekit-test", ["--config-file", str(path)])
    settings = composition.read_settings(conf, concurrency.side_by_side, offline=True)
    assert settings.requires_rules is requires_rules
