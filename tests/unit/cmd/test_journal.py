"""What ratekit-processor writes to systemd's journal, and that it writes so nowhere else."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

#: An option that nothing reads is a warning, and Gnocchi does not answer.
CONF = """\
peroid = 60
[fetcher]
backend = static
[fetcher_static]
scopes = a
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_user = admin
gnocchi_endpoint = http://127.0.0.1:1
"""
PROCESSOR = pathlib.Path(sys.executable).with_name("ratekit-processor")
UNREAD = r"WARNING ratekit\.cmd\.configuration: .*peroid: unknown option"
#: The time and the process.
START = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ "


@pytest.fixture
def ready(config: pathlib.Path) -> pathlib.Path:
    """A configuration that can be rated by."""
    config.write_text(config.read_text() + CONF)
    metrics = "metrics: {instance: {unit: u, extra_args: {resource_type: i}}}\n"
    config.with_name("metrics.yml").write_text(metrics)
    return config


def errors_of(config: pathlib.Path, *options: str, journal: bool = True) -> list[str]:
    """Run with standard error in a file, which is the journal's or not; return the lines."""
    path = config.with_name("errors")
    with path.open("w", encoding="utf-8") as file:
        status = os.fstat(file.fileno()) if journal else config.stat()
        subprocess.run(
            [PROCESSOR, "--once", "--config-file", str(config), *options],
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            stderr=file,
            timeout=60,
            check=False,
        )
    return path.read_text(encoding="utf-8").splitlines()


def test_lines_for_the_journal_have_priorities_and_no_time(ready: pathlib.Path) -> None:
    lines = errors_of(ready)
    assert re.match(f"<4>{UNREAD}", lines[0])
    assert [line for line in lines if re.search(START, line)] == []


def test_a_mistake_is_an_error_in_the_journal(ready: pathlib.Path) -> None:
    ready.write_text(ready.read_text().replace("peroid = 60", "period = never"))
    (line,) = errors_of(ready)
    assert line.startswith(f"<3>ratekit-processor: {ready}:5: [collect] period: ")


def test_elsewhere_lines_have_a_time_and_no_priority(ready: pathlib.Path) -> None:
    assert re.match(
        rf"{START}WARNING ratekit\.cmd\.configuration \[-\] ", errors_of(ready, journal=False)[0]
    )


def test_a_log_file_has_times_beside_the_journal(ready: pathlib.Path) -> None:
    log = ready.with_name("file.log")
    lines = errors_of(ready, "--log-file", str(log))
    assert re.match(rf"<4>{START}WARNING", lines[0])
    assert re.match(rf"{START}WARNING", log.read_text(encoding="utf-8"))


def test_each_line_of_a_traceback_has_the_priority() -> None:
    # In a process of its own, whose standard error is the journal from the start.
    code = (
        "import logging\n"
        "from ratekit.cmd import journal\n"
        "from ratekit import redact\n"
        "logging.basicConfig(format='%(message)s')\n"
        "journal.mark_lines()\n"
        "redact.clean_logs()\n"
        "try:\n    1 / 0\n"
        "except ZeroDivisionError:\n    logging.exception('a\\n<0>b')\n"
    )
    reader, writer = os.pipe()
    status = os.fstat(writer)
    with os.fdopen(reader) as lines:
        with os.fdopen(writer, "w") as stderr:
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
                stderr=stderr,
                check=True,
            )
        text = lines.read().splitlines()
    assert text[0] == r"<3>a\n<0>b"
    assert text[1] == "<3>Traceback (most recent call last):"
    assert all(line.startswith("<3>") for line in text)
