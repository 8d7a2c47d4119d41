"""A clock of ratekit's processes that stands still: pages are the same whenever tests run.

It is faketime's library. Keystone and Gnocchi have the real time, which only a processor compares.
"""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Mapping

import pytest


def require(program: str, package: str) -> str:
    """Return the path of a program; skip the test without it, and fail it where CI is set."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed (Debian's package {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def variables(now: datetime.datetime) -> Mapping[str, str]:
    """Return the environment of processes for which it is always ``now``."""
    wrapper = require("faketime", "faketime")
    command = [wrapper, "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "LD_PRELOAD": library,
        "FAKETIME": f"{now.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S}",
        # Time-outs and pauses are real, and so are the times of files.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
    }
