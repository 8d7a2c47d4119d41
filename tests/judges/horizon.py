"""Horizon with CloudKitty's dashboard, as a process of its own."""

from __future__ import annotations

import pathlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.judges import environments

_PORT = re.compile(r"^port (\d+)$", re.MULTILINE)
#: Panels that are left out: PyScripts, which ratekit has none of.
_UNUSED = "_32040"
#: Seconds until it listens.
_PATIENCE = 120


@contextmanager
def serve(folder: pathlib.Path, keystone_url: str) -> Iterator[str]:
    """Run Horizon, with its log ``horizon.log`` in a folder; yield its URL."""
    python = environments.programs("horizon") / "python"
    _install_panels(python)
    log = folder / "horizon.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), "-W", "ignore", str(environments.SCRIPTS / "horizon_server.py")],
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environments.environment(JUDGE_KEYSTONE_URL=keystone_url),
        )
    try:
        yield f"http://127.0.0.1:{_wait_for_port(process, log)}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _install_panels(python: pathlib.Path) -> None:
    """Put CloudKitty's panels and the settings where Horizon looks for them."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    local = packages / "openstack_dashboard/local"
    for panel in (packages / "cloudkittydashboard/enabled").glob("_*.py"):
        if not panel.name.startswith((_UNUSED, "__")):
            shutil.copy(panel, local / "enabled")
    shutil.copy(environments.SCRIPTS / "horizon_settings.py", local / "local_settings.py")


def _wait_for_port(process: subprocess.Popen[bytes], log: pathlib.Path) -> str:
    for _ in range(_PATIENCE * 10):
        match = _PORT.search(log.read_text(encoding="utf-8"))
        if match:
            return match[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"Horizon does not listen: {log.read_text(encoding='utf-8')}")
