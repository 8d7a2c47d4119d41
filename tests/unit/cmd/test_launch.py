"""Ctrl-C while a command starts ends it without a traceback."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from importlib import metadata

import pytest

#: eventlet looks at all objects of the process, and ignores errors of any of them.
PATCHING = """
import os, signal, time
def monkey_patch():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
#: A library that Ctrl-C interrupts while it is imported.
INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"


def start(script: str, folder: pathlib.Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a console script as pip writes it, with modules of a folder in front of libraries."""
    (point,) = metadata.entry_points(group="console_scripts", name=script)
    code = f"import sys\nfrom {point.module} import {point.attr}\nsys.exit({point.attr}())"
    # Whatever started the tests may ignore SIGINT, as a shell does for "command &".
    program = ["env", "--default-signal=INT", sys.executable]
    return subprocess.run(
        [*program, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize(
    ("script", "library", "words"),
    [
        ("ratekit", "difflib", "scope list"),
        ("ratekit", "cliff", "scope list"),
        ("ratekit", "oslo_config", "scope list"),
        ("ratekit", "sqlalchemy", "scope list"),
        ("ratekit-dbsync", "difflib", "version"),
        ("ratekit-dbsync", "oslo_config", "version"),
        ("ratekit-dbsync", "sqlalchemy", "version"),
        ("ratekit-processor", "difflib", "--once"),
        ("ratekit-processor", "eventlet", "--once"),
        ("ratekit-processor", "oslo_config", "--once"),
        ("ratekit-processor", "sqlalchemy", "--once"),
    ],
)
def test_ctrl_c_during_an_import_is_silent(
    script: str, library: str, words: str, tmp_path: pathlib.Path
) -> None:
    conf = tmp_path / "ratekit.conf"
    conf.write_text(
        f"[database]\nconnection = sqlite:///{tmp_path}/r.sqlite\n[fetcher]\nbackend = static\n"
        "[fetcher_static]\nscopes = a\n"
        "[collector_gnocchi]\ngnocchi_auth_type = basic\ngnocchi_user = admin\n"
        "gnocchi_endpoint = http://127.0.0.1:1\n"
    )
    (tmp_path / f"{library}.py").write_text(INTERRUPTED)
    answer = start(script, tmp_path, "--config-file", str(conf), *words.split())
    assert answer.returncode in (130, -signal.SIGINT)
    assert answer.stdout == ""
    assert answer.stderr in ("", f"{script}: interrupted; what was rated is stored\n")


def test_ctrl_c_while_the_daemon_patches_sockets_is_not_lost(tmp_path: pathlib.Path) -> None:
    (tmp_path / "eventlet.py").write_text(PATCHING)
    answer = start("ratekit-processor", tmp_path, "--once")
    assert (answer.returncode, answer.stdout, answer.stderr) == (-signal.SIGINT, "", "")


def test_an_ignored_interrupt_stays_ignored(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cliff.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    program = ["env", "--ignore-signal=INT", sys.executable]
    answer = subprocess.run(
        [*program, "-c", "from ratekit.cmd.launch import ratekit; ratekit()", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    # The import goes on until it lacks what the library would have.
    assert answer.stderr.splitlines()[-1].startswith("ImportError: cannot import name 'app'")
