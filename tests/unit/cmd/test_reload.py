"""Options that change in a file while the daemon runs."""

from __future__ import annotations

import logging
import pathlib

import pytest
from oslo_config import cfg

from ratekit.cmd import reload


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "ratekit.conf"


@pytest.fixture
def conf(path: pathlib.Path) -> cfg.ConfigOpts:
    """A configuration with an option that may change, and one that may not."""
    path.write_text("[auth]\nauth_url = http://one\npause = 1\n")
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("auth-url"), cfg.IntOpt("pause", mutable=True)], "auth")
    conf(["--config-file", str(path)])
    assert conf.auth.pause == 1
    return conf


@pytest.mark.parametrize("warns", [True, False])
def test_an_option_that_needs_a_restart_is_named_once_as_the_file_has_it(
    warns: bool, path: pathlib.Path, conf: cfg.ConfigOpts, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("[auth]\nauth_url = http://two\npause = 2\n")
    reload.adopt_files(conf, warns)
    assert conf.auth.pause == 2
    expected = "[auth] auth_url has changed in the files: restart the daemon to apply it"
    assert [
        (record.levelno, record.getMessage())
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ] == [(logging.WARNING, expected)] * warns


def test_other_records_of_the_library_stay_what_they_are(
    path: pathlib.Path, conf: cfg.ConfigOpts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "oslo_config.cfg")
    path.write_text("[auth]\nauth_url = http://one\npause = 2\n")
    reload.adopt_files(conf, warns=False)
    logging.getLogger("oslo_config.cfg").warning(
        "later, of %(group)s and %(option)s", {"group": "g", "option": "o"}
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Option auth.pause changed from [1] to [2]", "later, of g and o",
    ]  # fmt: skip
