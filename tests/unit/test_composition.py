"""Plug-ins that a command builds: their options are checked then."""

from __future__ import annotations

import pathlib

import pytest

from ratekit import composition, errors
from ratekit.cmd import configuration


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
