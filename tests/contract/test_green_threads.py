"""Databases under eventlet, which the processor runs on: nobody stands still, nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("question", ["others_run_while_one_waits", "a_killed_one_leaves_nothing"])
def test_green_threads(question: str, url: str) -> None:
    # As the processor sets it: psycopg's own way to wait would stop all green threads.
    env = {**os.environ, "PSYCOPG_WAIT_FUNC": "wait_selector", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.contract.green_script", question, url]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr.strip()) == ("yes", "")
