"""The daemon as systemd runs it: started, watched, reloaded and stopped, on the real cloud."""

from __future__ import annotations

import configparser
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests import stack
from tests.functional.conftest import METRICS, RATED, REPO, postgresql_url, sqlite_url

UNIT = REPO / "etc/systemd/ratekit-processor.service"
#: Seconds that anything here may take; none takes more than a few, unless it hangs.
PATIENCE = 60.0
PROCESSOR = pathlib.Path(sys.executable).with_name("ratekit-processor")


def until(what: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        assert process is None or process.poll() is None, "the daemon ended"
        time.sleep(0.05)


class Daemon:
    """A ratekit-processor, its configuration, and a socket that stands for systemd."""

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
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.settimeout(PATIENCE)
        self.process: subprocess.Popen[str] | None = None

    def configure(self, section: str, **options: str) -> None:
        """Write the configuration anew."""
        if section != "DEFAULT" and not self._parser.has_section(section):
            self._parser.add_section(section)
        for name, value in options.items():
            self._parser.set(section, name, value)
        with (self._folder / "ratekit.conf").open("w", encoding="utf-8") as file:
            self._parser.write(file)

    def start(self) -> subprocess.Popen[str]:
        """Start it as systemd would."""
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

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def hears(self, wanted: str) -> str:
        """Wait until systemd is told something that holds ``wanted``."""
        while True:
            message = self._systemd.recv(4096).decode()
            if wanted in message:
                return message

    def log(self) -> str:
        """What it has logged."""
        return self.log_path.read_text(encoding="utf-8")

    def logs(self, wanted: str) -> None:
        """Wait for a line in its log."""
        until(lambda: wanted in self.log(), self.process)

    def workers(self) -> list[int]:
        """Ids of the processes that rate."""
        assert self.process is not None
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text(encoding="ascii").split()]

    def value(self, query: str) -> object:
        """Ask the database for one value."""
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return connection.exec_driver_sql(query).scalar()
        finally:
            engine.dispose()

    def frames(self) -> int:
        """How many frames are stored."""
        count = self.value("SELECT count(*) FROM frames")
        assert isinstance(count, int)
        return count

    def close(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
        self._systemd.close()


@pytest.fixture
def daemon(cloud: stack.Stack, tmp_path: pathlib.Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path, cloud, sqlite_url(cloud, tmp_path))
    yield made
    made.close()


@pytest.fixture
def daemon_on_postgresql(cloud: stack.Stack, tmp_path: pathlib.Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path, cloud, postgresql_url(cloud, tmp_path))
    yield made
    made.close()


@contextlib.contextmanager
def deaf_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def awaits(process: int, number: signal.Signals) -> bool:
    """Tell whether a signal has been sent to a process that is stopped."""
    status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(pending, 16) & 1 << number - 1)


def test_it_says_that_it_is_ready_how_it_is_and_that_it_stops(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.hears("READY=1")

    def agree() -> bool:
        status = daemon.hears("STATUS=next cycle")
        return f"{daemon.frames():,} frames since the start" in status

    # Another hour may become due between the status and the count: then there is another.
    until(agree, daemon.process)
    assert "WATCHDOG=1" in daemon.hears("WATCHDOG")
    assert daemon.value("SELECT count(*) FROM scopes") == len(RATED)
    daemon.signal(signal.SIGTERM)
    assert daemon.hears("STOPPING=1")
    assert daemon.ended() == 0
    assert daemon.log().count("worker 1 of 1 stopped") == 1
    assert "Traceback" not in daemon.log()


def test_a_stop_while_a_back_end_says_nothing_abandons_the_batch(daemon: Daemon) -> None:
    with deaf_server() as url:
        daemon.configure("collector_gnocchi", gnocchi_endpoint=url)
        daemon.start()
        daemon.logs("scopes new")
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
    assert "abandons the batch at hand" in daemon.log()
    assert daemon.frames() == 0
    assert daemon.value("SELECT count(*) FROM scopes WHERE failures > 0") == 0


def test_ctrl_c_ends_it_at_once_with_one_line(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.hears("STATUS=next cycle")
    os.killpg(process.pid, signal.SIGINT)
    assert daemon.ended() == 130
    told = [line for line in daemon.log().splitlines() if "interrupted" in line]
    assert told == ["ratekit-processor: interrupted; what was rated is stored"]
    assert "Traceback" not in daemon.log()


def test_a_worker_that_is_killed_is_replaced(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.hears("STATUS=next cycle")
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: daemon.workers() not in ([], [worker]), process)
    until(lambda: daemon.log().count("worker 1 of 1 started") == 2, process)
    daemon.logs(f"worker 1 had died (process {worker}) and was replaced")
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0


def test_when_the_main_process_is_killed_its_workers_end(daemon: Daemon) -> None:
    process = daemon.start()
    daemon.hears("STATUS=next cycle")
    (worker,) = daemon.workers()
    process.kill()
    process.wait(PATIENCE)
    until(lambda: not pathlib.Path(f"/proc/{worker}").exists())
    assert not pathlib.Path(f"/proc/{worker}").exists()


def test_a_reload_takes_a_mended_metrics_file_into_force(daemon: Daemon) -> None:
    good = daemon.metrics.read_text(encoding="utf-8")
    # Gnocchi's archive policy has no such aggregate: every scope is held.
    daemon.metrics.write_text(good.replace("mean", "nunique"), encoding="utf-8")
    process = daemon.start()
    daemon.logs("cannot be rated")
    assert daemon.frames() == 0
    daemon.metrics.write_text(good, encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.hears("RELOADING=1")
    daemon.hears("READY=1")
    daemon.logs("reloaded: in force from the next batch on")
    until(lambda: daemon.value("SELECT count(*) FROM scopes WHERE failures > 0") == 0, process)
    assert daemon.frames() > 0


def test_a_worker_that_is_replaced_after_a_reload_works_by_what_was_reloaded(
    daemon: Daemon,
) -> None:
    good = daemon.metrics.read_text(encoding="utf-8")
    daemon.metrics.write_text(good.replace("mean", "nunique"), encoding="utf-8")
    process = daemon.start()
    daemon.logs("cannot be rated")
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGSTOP)  # so that only the next one can rate anything
    daemon.metrics.write_text(good, encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    daemon.hears("RELOADING=1")
    # The parent tells its workers once it has read the files; this one cannot listen.
    until(lambda: awaits(worker, signal.SIGHUP), process)
    daemon.metrics.write_text("broken since", encoding="utf-8")
    os.kill(worker, signal.SIGKILL)
    until(lambda: daemon.frames() > 0, process)
    assert daemon.workers() != [worker]


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("metrics.yml", "metrics:\n  cpu: {unti: instance}\n", "metrics.yml:2: metrics.cpu.unti"),
        ("ratekit.conf", "[collect]\nperiod = often\n", "ratekit.conf:2: [collect] period"),
        ("ratekit.conf", "no section, no equals sign\n", "ratekit.conf:1"),
    ],
)
def test_a_reload_of_a_broken_file_leaves_everything_as_it_was(
    daemon: Daemon, tmp_path: pathlib.Path, file: str, text: str, complaint: str
) -> None:
    process = daemon.start()
    daemon.hears("STATUS=next cycle")
    (tmp_path / file).write_text(text, encoding="utf-8")
    for _ in range(2):
        daemon.signal(signal.SIGHUP)
        daemon.hears("RELOADING=1")
        assert "the last reload was refused" in daemon.hears("READY=1")
    assert complaint in daemon.log()
    assert "the old settings stay in force" in daemon.log()
    assert "Traceback" not in daemon.log()
    assert process.poll() is None
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0


def test_an_option_that_needs_a_restart_is_named_at_a_reload(daemon: Daemon) -> None:
    daemon.start()
    daemon.hears("STATUS=next cycle")
    daemon.configure("collect", period="7200")
    daemon.configure("orchestrator", max_threads="3")
    daemon.signal(signal.SIGHUP)
    daemon.logs("reloaded")
    assert "collect.period" in daemon.log()
    assert "orchestrator.max_threads changed" in daemon.log()


def test_a_migration_under_a_running_daemon_makes_it_stop(daemon: Daemon) -> None:
    """Scopes that are held for a second wake it up, and then it sees what has happened."""
    with deaf_server() as url:
        daemon.configure("collector_gnocchi", gnocchi_endpoint=url, timeout="0.5")
        daemon.start()
        daemon.logs("will be tried again")
        engine = sa.create_engine(daemon.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        assert daemon.ended() == 2
    assert "nothing more is rated" in daemon.log()
    assert "9999" in daemon.log()


def test_sqlite_gets_one_worker_whatever_is_asked_for(daemon: Daemon) -> None:
    daemon.configure("orchestrator", max_workers="3")
    daemon.start()
    daemon.hears("STATUS=next cycle")
    assert "max_workers is 3, but this database takes 1" in daemon.log()
    assert len(daemon.workers()) == 1


def test_workers_share_the_scopes(daemon_on_postgresql: Daemon) -> None:
    daemon = daemon_on_postgresql
    daemon.configure("orchestrator", max_workers="2")
    daemon.configure("DEFAULT", debug="true")
    process = daemon.start()
    rest = "SELECT count(*) FROM scopes WHERE last_rated IS NULL OR failures > 0"
    daemon.logs("worker 2 of 2 started")
    until(lambda: daemon.value(rest) == 0 and daemon.frames() > 0, process)
    assert len(daemon.workers()) == 2
    # Neither has rated a scope of the other's, so nobody lost one.
    assert "was rated by another processor" not in daemon.log()
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0


def test_the_unit_file_is_sound(tmp_path: pathlib.Path) -> None:
    """As ``systemd-analyze verify`` sees it, with the program where it is here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        assert os.environ.get("CI") != "true", "systemd-analyze is missing"
        pytest.skip("systemd-analyze is missing")
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/bin/ratekit-processor", str(PROCESSOR)), encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, complaints) == (0, [])
