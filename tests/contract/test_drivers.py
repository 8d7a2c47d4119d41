"""What needs a server's driver, but no server: mistakes in a URL, and a server that is absent."""

from __future__ import annotations

import pathlib

import pytest

from ratekit import errors
from ratekit.cmd import ratekit as command
from ratekit.storage import revisions
from ratekit.storage.db.engine import Database


def test_a_server_that_does_not_answer_is_reported_without_passwords() -> None:
    url = "postgresql://ratekit:secret@127.0.0.1:1/d?password=secret&connect_timeout=1"
    with pytest.raises(errors.TryLater) as caught:
        revisions.current(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    line = "[database] connection postgresql://ratekit:***@127.0.0.1:1/d: "
    assert str(caught.value).startswith(line)


def test_an_option_that_the_driver_refuses_is_reported_in_one_line() -> None:
    with pytest.raises(errors.OperatorError) as caught:
        Database("mysql://u@h/d?connect_timeout=soon")
    assert "[database] connection mysql://u@h/d" in str(caught.value)
    # The driver is there: the mistake is the option.
    assert "pip install" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_command_ends_with_1_and_one_line_when_the_server_does_not_answer(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "ratekit.conf"
    config.write_text(f"[database]\nconnection = postgresql://ratekit@/ratekit?host={tmp_path}\n")
    assert command.main(["--config-file", str(config), "scope", "list"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
