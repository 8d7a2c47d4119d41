"""Virtual environments of the judges, created when they are first needed.

An environment is named by its file in ``requirements/`` and is kept in ``.judges/`` of the clone,
or in the folder that RATEKIT_JUDGES names, until that file changes.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import pathlib
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

REPO = pathlib.Path(__file__).parents[2]
#: What runs inside of the environments, without ratekit and this package.
SCRIPTS = pathlib.Path(__file__).with_name("scripts")
_REQUIREMENTS = pathlib.Path(__file__).with_name("requirements")
_STAMP = "ratekit.stamp"
#: Seconds for an installation.
_LONGEST = 900


@functools.cache
def programs(name: str) -> pathlib.Path:
    """Return the folder with the programs of an environment, e.g. ``python``.

    Skips the test where packages cannot be installed, and fails it where CI is set.

    :param name: of a file in ``requirements/``, without ``.txt``
    """
    requirements = _REQUIREMENTS / f"{name}.txt"
    folder = judges_folder() / name
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    with lock(name):
        stamp = folder / _STAMP
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            venv.create(folder, clear=True)
            # Most modules are never imported, so none is compiled before it is.
            pip(folder / "bin", "install", "--no-compile", "--requirement", str(requirements))
            stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def judges_folder() -> pathlib.Path:
    """Return the folder of what the judges need."""
    return pathlib.Path(os.environ.get("RATEKIT_JUDGES") or REPO / ".judges").absolute()


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Keep other sessions of tests from preparing the same at the same time."""
    folder = judges_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pip(programs: pathlib.Path, *arguments: str) -> None:
    """Run this environment's pip for another; without packages, skip the test, or fail in CI."""
    other = ["--python", str(programs / "python"), "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", *other, *arguments]
    result = run(command, _LONGEST)
    if result.returncode:
        reason = f"pip {arguments[0]} failed: {' '.join(result.stderr.split())[-500:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def run(
    command: Sequence[str],
    seconds: float,
    text: str = "",
    folder: pathlib.Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a judge, which must not see ratekit's code or environment.

    :param seconds: after which it has failed
    :param text: its standard input
    :param folder: where it runs, and may leave files
    :param variables: of its environment, beside the usual ones
    """
    return subprocess.run(
        command,
        env=environment(**(variables or {})),
        input=text,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a judge: without what is ratekit's or a cloud's."""
    visible = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "PYTHON")) and name != "VIRTUAL_ENV"
    }
    return {**visible, **variables}
