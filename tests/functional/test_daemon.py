"""The daemon as systemd runs it: started, watched, reloaded and stopped, on the real cloud."""

from __future__ import annotations

import configparser
import contextlib
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from tests import stack
from tests.functional.conftest import METRICS, RATED, REPO, postgresql_url, sqlite_url

UNIT = REPO / "etc/systemd/ratekit-processor.service"
#: Seconds after which a wait fails the test; nothing here takes more than a few.
TIMEOUT = 60.0
PROGRAM = "ratekit-processor"
PROCESSOR = pathlib.Path(sys.executable).with_name(PROGRAM)
#: The status of a daemon that waits: it names the time of the next cycle.
IDLE = r"STATUS=.*\d{4}-\d\d-\d\dT\d\d:\d\d"
FAILED_SCOPES = "SELECT count(*) FROM scopes WHERE failures > 0"
_LOG_LINE = re.compile(r"^[\d-]+ [\d:.]+ \d+ (?P<level>\w+) (?P<logger>\S+) \[.*?\] (?P<text>.*)$")


class LogRecord(NamedTuple):
    """One line of the daemon's log."""

    level: str
    logger: str
    text: str


def wait_until(
    condition: Callable[[], object], process: subprocess.Popen[str] | None = None
) -> None:
    """Wait for a condition to become true; fail if ``process`` ends before."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not true within {TIMEOUT:g} s"
        assert process is None or process.poll() is None, "the daemon ended"
        time.sleep(0.05)


class Daemon:
    """A ratekit-processor, its configuration, and a socket in the place of systemd's."""

    def __init__(self, folder: pathlib.Path, cloud: stack.Stack, url: str) -> None:
        self._folder = folder
        self.url = url
        self.log_path = folder / "daemon.log"
        self.metrics = folder / "metrics.yml"
        shutil.copy(METRICS, self.metrics)
        self._parser = configparser.ConfigParser(interpolation=None)
        self._parser.read(cloud.conf_path)
        self.configure("database", connection=url)
        self.configure("collect", metrics_conf=str(self.metrics))
        self.configure("orchestrator", retry_seconds="1")
        self.configure("rating", without_rules="free")
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.settimeout(TIMEOUT)
        self.process: subprocess.Popen[str] | None = None

    def configure(self, section: str, **options: str) -> None:
        """Set options of a section and write the file."""
        if section != "DEFAULT" and not self._parser.has_section(section):
            self._parser.add_section(section)
        for name, value in options.items():
            self._parser.set(section, name, value)
        with (self._folder / "ratekit.conf").open("w", encoding="utf-8") as file:
            self._parser.write(file)

    def start(self) -> subprocess.Popen[str]:
        """Start the daemon as systemd would."""
        with self.log_path.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [PROCESSOR, "--config-file", self._folder / "ratekit.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                env={
                    **os.environ,
                    "NOTIFY_SOCKET": str(self._folder / "notify"),
                    "WATCHDOG_USEC": "8000000",
                },
                start_new_session=True,
            )
        return self.process

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the daemon to end; return its exit code."""
        assert self.process is not None
        return self.process.wait(TIMEOUT)

    def receive(self, pattern: str) -> str:
        """Return systemd's next message that ``pattern`` is found in."""
        while True:
            message = self._systemd.recv(4096).decode()
            if re.search(pattern, message):
                return message

    def log(self) -> str:
        """Return the log so far."""
        return self.log_path.read_text(encoding="utf-8")

    def records(self, *words: str, level: str = "", logger: str = "ratekit") -> list[LogRecord]:
        """Return the log's records that have a level, are below a logger and hold all words."""
        matches = map(_LOG_LINE.match, self.log().splitlines())
        return [
            record
            for record in (LogRecord(**match.groupdict()) for match in matches if match)
            if level in ("", record.level)
            and record.logger.startswith(logger)
            and all(re.search(rf"\b{re.escape(word)}\b", record.text) for word in words)
        ]

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        assert self.process is not None
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text(encoding="ascii").split()]

    def value(self, query: str) -> object:
        """Return a query's single value."""
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return connection.exec_driver_sql(query).scalar()
        finally:
            engine.dispose()

    def frames(self) -> int:
        """Return the number of stored frames."""
        count = self.value("SELECT count(*) FROM frames")
        assert isinstance(count, int)
        return count

    def close(self) -> None:
        """Kill what still runs."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(TIMEOUT)
        self._systemd.close()


@pytest.fixture
def daemon(cloud: stack.Stack, tmp_path: pathlib.Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, cloud, sqlite_url(cloud, tmp_path))
    yield daemon
    daemon.close()


@pytest.fixture
def daemon_on_postgresql(cloud: stack.Stack, tmp_path: pathlib.Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, cloud, postgresql_url(cloud, tmp_path))
    yield daemon
    daemon.close()


class SilentServer(http.server.ThreadingHTTPServer):
    """Tells its API versions, as the check of clocks asks for, and answers nothing else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SilentHandler)
        self.is_asked = threading.Event()
        self.is_closed = threading.Event()


class _SilentHandler(http.server.BaseHTTPRequestHandler):
    server: SilentServer

    def do_GET(self) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.do_POST()

    def do_POST(self) -> None:
        self.server.is_asked.set()
        self.server.is_closed.wait()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Yield the URL of a server that does not answer, and whether a client waits for it."""
    with SilentServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", server.is_asked.is_set
        finally:
            server.is_closed.set()
            server.shutdown()
            thread.join()


def has_ended(process: int) -> bool:
    """Return whether a process has ended; in a container nobody may fetch its exit code."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return re.search(r"^State:\s+Z", status, re.MULTILINE) is not None


def is_pending(process: int, number: signal.Signals) -> bool:
    """Tell whether a signal waits for a process that is stopped."""
    status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(pending, 16) & 1 << number - 1)


def test_it_reports_ready_its_status_and_its_stop(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.receive("READY=1")

    def agree() -> bool:
        status = daemon.receive(IDLE)
        return re.search(rf"\b{daemon.frames():,} frames", status) is not None

    # Another hour may become due between the status and the count: then there is another.
    wait_until(agree, daemon.process)
    assert "WATCHDOG=1" in daemon.receive("WATCHDOG")
    assert daemon.value("SELECT count(*) FROM scopes") == len(RATED)
    daemon.signal(signal.SIGTERM)
    assert daemon.receive("STOPPING=1")
    assert daemon.wait() == 0
    # It says once that it has started and once that it has stopped.
    assert len(daemon.records("worker 1 of 1")) == 2
    assert "Traceback" not in daemon.log()


def test_a_stop_while_a_back_end_is_silent_abandons_the_batch(daemon: Daemon) -> None:
    with silent_server() as (url, is_asked):
        daemon.configure("collector_gnocchi", gnocchi_endpoint=url)
        process = daemon.start()
        wait_until(lambda: daemon.value("SELECT count(*) FROM scopes") == len(RATED), process)
        wait_until(is_asked, process)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert len(daemon.records("worker 1 of 1", level="WARNING")) == 1
    assert daemon.frames() == 0
    assert daemon.value(FAILED_SCOPES) == 0


def test_ctrl_c_ends_it_at_once_with_one_line(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.receive(IDLE)
    os.killpg(process.pid, signal.SIGINT)
    assert daemon.wait() == 130
    lines = [line for line in daemon.log().splitlines() if line.startswith(f"{PROGRAM}: ")]
    assert len(lines) == 1
    assert "Traceback" not in daemon.log()


def test_a_worker_that_is_killed_is_replaced(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.receive(IDLE)
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: daemon.workers() not in ([], [worker]), process)
    # Each of the two says that it has started.
    wait_until(lambda: len(daemon.records("worker 1 of 1")) == 2, process)
    wait_until(lambda: daemon.records("worker 1", str(worker), level="WARNING"), process)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_when_the_main_process_is_killed_its_workers_end(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.receive(IDLE)
    (worker,) = daemon.workers()
    process.kill()
    process.wait(TIMEOUT)
    wait_until(lambda: has_ended(worker))
    assert has_ended(worker)


def test_a_reload_applies_a_corrected_metrics_file(daemon: Daemon) -> None:
    good = daemon.metrics.read_text(encoding="utf-8")
    # Gnocchi's archive policy has no such aggregate: no scope can be rated.
    daemon.metrics.write_text(good.replace("mean", "nunique"), encoding="utf-8")
    process = daemon.start()
    wait_until(lambda: daemon.value(FAILED_SCOPES), process)
    assert daemon.frames() == 0
    daemon.metrics.write_text(good, encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.receive("RELOADING=1")
    daemon.receive("READY=1")
    wait_until(lambda: daemon.value(FAILED_SCOPES) == 0, process)
    assert daemon.frames() > 0


def test_a_worker_that_is_replaced_after_a_reload_uses_the_reloaded_files(daemon: Daemon) -> None:
    good = daemon.metrics.read_text(encoding="utf-8")
    daemon.metrics.write_text(good.replace("mean", "nunique"), encoding="utf-8")
    process = daemon.start()
    wait_until(lambda: daemon.value(FAILED_SCOPES), process)
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGSTOP)  # so that only the next one can rate anything
    daemon.metrics.write_text(good, encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.receive("RELOADING=1")
    # The parent signals its workers after it has read the files; this one is stopped.
    wait_until(lambda: is_pending(worker, signal.SIGHUP), process)
    daemon.metrics.write_text("broken since", encoding="utf-8")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: daemon.frames() > 0, process)
    assert daemon.workers() != [worker]


@pytest.mark.parametrize(
    ("file", "text", "mistake"),
    [
        ("metrics.yml", "metrics:\n  cpu: {unti: instance}\n", "metrics.yml:2: metrics.cpu.unti"),
        ("ratekit.conf", "[collect]\nperiod = often\n", "ratekit.conf:2: [collect] period"),
        ("ratekit.conf", "no section, no equals sign\n", "ratekit.conf:1"),
    ],
)
def test_a_reload_of_a_broken_file_changes_nothing(
    daemon: Daemon, tmp_path: pathlib.Path, file: str, text: str, mistake: str
) -> None:
    process = daemon.start()
    daemon.receive(IDLE)
    (tmp_path / file).write_text(text, encoding="utf-8")
    for _ in range(2):
        daemon.signal(signal.SIGHUP)
        daemon.receive("RELOADING=1")
        # The status says so until the next reload.
        assert "reload" in daemon.receive("READY=1")
    reported = [record for record in daemon.records(level="ERROR") if mistake in record.text]
    assert len(reported) == 2
    assert "Traceback" not in daemon.log()
    assert process.poll() is None
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_an_option_that_needs_a_restart_is_named_at_a_reload(daemon: Daemon) -> None:
    daemon.start()
    daemon.receive(IDLE)
    daemon.configure("collect", period="7200")
    daemon.configure("orchestrator", max_threads="3")
    daemon.signal(signal.SIGHUP)
    daemon.receive("RELOADING=1")
    daemon.receive("READY=1")
    # The worker names it; the parent process, which reads the files too, does not.
    assert [record.text for record in daemon.records("restart", logger="oslo_config")] == [
        "[collect] period has changed in the files: restart the daemon to apply it"
    ]
    # This one applies at once.
    assert daemon.records("orchestrator.max_threads", logger="oslo_config")


def test_a_misspelt_option_is_a_warning_at_a_reload(daemon: Daemon) -> None:
    daemon.start()
    daemon.receive(IDLE)
    daemon.configure("collect", perod="7200")
    assert not daemon.records("perod")
    daemon.signal(signal.SIGHUP)
    daemon.receive("RELOADING=1")
    daemon.receive("READY=1")
    records = daemon.records("perod: unknown option", "did you mean 'period")
    # The parent process reads the files for workers that it will start.
    assert [record.level for record in records] == ["WARNING"]


def test_a_migration_under_a_running_daemon_makes_it_stop(daemon: Daemon) -> None:
    """A retry after a second wakes it up; then it finds the other schema version."""
    with silent_server() as (url, _):
        daemon.configure("collector_gnocchi", gnocchi_endpoint=url, timeout="0.5")
        process = daemon.start()
        wait_until(lambda: daemon.value(FAILED_SCOPES), process)
        engine = sa.create_engine(daemon.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        assert daemon.wait() == 2
    assert daemon.records("9999", level="ERROR")


def test_sqlite_gets_one_worker_whatever_max_workers_says(daemon: Daemon) -> None:
    daemon.configure("orchestrator", max_workers="3")
    daemon.start()
    daemon.receive(IDLE)
    assert len(daemon.records("max_workers", "3", "1", level="WARNING")) == 1
    assert len(daemon.workers()) == 1


def test_workers_share_the_scopes(daemon_on_postgresql: Daemon) -> None:
    daemon = daemon_on_postgresql
    daemon.configure("orchestrator", max_workers="2")
    daemon.configure("DEFAULT", debug="true")
    process = daemon.start()
    unrated = "SELECT count(*) FROM scopes WHERE last_rated IS NULL OR failures > 0"
    wait_until(lambda: daemon.records("worker 2 of 2"), process)
    wait_until(lambda: daemon.value(unrated) == 0 and daemon.frames() > 0, process)
    assert len(daemon.workers()) == 2
    # A cycle would name each scope that another processor had rated.
    named = daemon.records("scope", level="DEBUG", logger="ratekit.processing.cycle")
    assert named == []
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_the_unit_file_is_valid(tmp_path: pathlib.Path) -> None:
    """``systemd-analyze verify`` accepts it, with the path of the program in this environment."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        assert os.environ.get("CI") != "true", "systemd-analyze is missing"
        pytest.skip("systemd-analyze is missing")
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/bin/ratekit-processor", str(PROCESSOR)), encoding="utf-8")
    result = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    complaints = [line for line in result.stderr.splitlines() if unit.name in line]
    assert (result.returncode, complaints) == (0, [])
