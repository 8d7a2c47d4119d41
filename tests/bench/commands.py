"""Runs ratekit's commands as people do, and measures them."""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys
import time

from tests.bench.figures import Usage

_LAUNCH = "import sys; from ratekit.cmd.launch import ratekit; sys.exit(ratekit())"


def measure_command(*arguments: str, conf_path: pathlib.Path | None = None) -> Usage:
    """Run ``ratekit`` with these arguments; return seconds, and CPU seconds of its process.

    :raises subprocess.CalledProcessError: it failed
    """
    environment = dict(os.environ)
    if conf_path is not None:
        environment["RATEKIT_CONFIG"] = str(conf_path)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", _LAUNCH, *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(wall, cpu)
