"""Databases under eventlet, as in the processor: others run on, and a kill leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("check", ["run_others_while_waiting", "kill_in_transaction"])
def test_green_threads(check: str, url: str) -> None:
    # As the processor sets it: psycopg's own way to wait would stop all green threads.
    env = {**os.environ, "PSYCOPG_WAIT_FUNC": "wait_selector", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.contract.green_script", check, url]
    process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert (process.stdout.strip(), process.stderr.strip()) == ("yes", "")
