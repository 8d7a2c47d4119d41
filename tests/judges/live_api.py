"""ratekit-api as a process of its own, for judges that speak HTTP."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ratekit.storage import migrate

METRICS = pathlib.Path(__file__).parents[2] / "etc/ratekit/metrics.yml"
_START = "import sys; from ratekit.cmd import launch; sys.exit(launch.api())"
_LISTENING = re.compile(r"listening on (http://\S+)")
#: Seconds until it listens, and until it has stopped.
_PATIENCE = 60

_CONF = """
[database]
connection = {url}
[fetcher]
backend = static
[collect]
metrics_conf = {metrics}
scope_key = {scope_key}
[api]
port = 0
{api}
"""


def write_conf(
    folder: pathlib.Path,
    api: str = "auth_strategy = noauth",
    *,
    metrics: pathlib.Path = METRICS,
    scope_key: str = "project_id",
) -> str:
    """Write ``ratekit.conf`` for a new SQLite database; return the database's URL.

    :param api: options of [api], and more sections
    """
    url = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(url)
    text = _CONF.format(url=url, metrics=metrics, scope_key=scope_key, api=api)
    path = folder / "ratekit.conf"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return url


@contextmanager
def serve(folder: pathlib.Path, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run ratekit-api with the ``ratekit.conf`` of a folder; yield its URL.

    Its log is ``api.log`` beside it, which must have no traceback in the end.

    :param variables: of its environment, beside this process's
    """
    log = folder / "api.log"
    command = [sys.executable, "-c", _START, "--config-file", str(folder / "ratekit.conf")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, "TZ": "UTC", **(variables or {})},
        )
    try:
        yield _wait_for_url(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text


def _wait_for_url(process: subprocess.Popen[bytes], log: pathlib.Path) -> str:
    for _ in range(_PATIENCE * 10):
        match = _LISTENING.search(log.read_text(encoding="utf-8"))
        if match:
            return match[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"ratekit-api does not listen: {log.read_text(encoding='utf-8')}")
