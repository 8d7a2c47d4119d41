"""Starts processes that outlive this one, and finds them again.

Each process leads its own session and has a record under ``run/``, written right after its
start, so that ``down`` finds the processes that a killed ``up`` left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.stack.errors import StackError
from tests.stack.folder import Folder, write_private

STOP_LIMIT = 10.0
"""Seconds that processes have to end by themselves."""
_TICK = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A user that a process runs as, in no other group than ``gid``."""

    uid: int
    gid: int


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    :ivar env: added to this process's environment
    :ivar sockets: file descriptors that it inherits
    :ivar account: None: the user of this process
    :ivar stop: the signal that ends it and its children
    """

    name: str
    args: Sequence[str | Path]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    sockets: tuple[int, ...] = ()
    account: Account | None = None
    stop: signal.Signals = signal.SIGTERM


class Process:
    """A process that this one has started."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen

    def has_ended(self) -> bool:
        """Tell whether it has ended with exit code 0.

        :raises StackError: it has ended with another one
        """
        code = self._popen.poll()
        if code:
            raise StackError(f"{self.name} ended with code {code}: see {self.log}")
        return code == 0

    def check(self) -> None:
        """:raises StackError: it has ended, which a server should not."""
        if self.has_ended():
            raise StackError(f"{self.name} ended unexpectedly: see {self.log}")

    def leave(self) -> None:
        """Let it outlive this process; Popen would warn that it still runs."""
        self._popen.returncode = 0


class Processes:
    """The processes of one ``up``; may be used by several threads at once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._servers: list[Process] = []

    def start(self, command: Command) -> Process:
        """Start a server; see ``watch``.

        :raises StackError: it cannot be started, or ``stop`` was called
        """
        log = self._folder.log(command.name)
        with self._lock:
            self.check()
            try:
                popen = self._popen(command, log)
            except (OSError, subprocess.SubprocessError) as error:
                raise StackError(f"cannot start {command.name}: {error}") from error
            _record(self._folder, command, popen.pid)
        return Process(command.name, popen, log)

    def watch(self, server: Process, ready: Callable[[], bool], limit: float) -> None:
        """Wait until ``server`` is ready; from then on ``check`` raises when it has ended.

        :raises StackError: it ends, or takes more than ``limit`` seconds
        """

        def running_and_ready() -> bool:
            server.check()
            return ready()

        self._until(running_and_ready, server, limit)
        self._servers.append(server)

    def run(self, command: Command, limit: float) -> None:
        """Run a command to its end.

        :raises StackError: it fails, or takes more than ``limit`` seconds
        """
        process = self.start(command)
        self._until(process.has_ended, process, limit)
        _record_path(self._folder, command.name).unlink(missing_ok=True)

    def check(self) -> None:
        """:raises StackError: a watched server has ended, or ``stop`` was called."""
        if self._closed.is_set():
            raise StackError("stopped")
        for server in tuple(self._servers):
            server.check()

    def leave(self) -> None:
        """Let the watched servers outlive this process.

        :raises StackError: one has ended
        """
        self.check()
        for server in self._servers:
            server.leave()

    def stop(self) -> None:
        """Start no more processes, and end those that were started.

        :raises StackError: a process does not end
        """
        with self._lock:
            self._closed.set()
        stop_all(self._folder)

    def _until(self, is_done: Callable[[], bool], process: Process, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not is_done():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"{process.name} did not finish within {limit:g} s: see {process.log}"
                )
            time.sleep(_TICK)

    def _popen(self, command: Command, log: Path) -> subprocess.Popen[bytes]:
        account = command.account
        with log.open("ab") as out:
            return subprocess.Popen(
                [str(arg) for arg in command.args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment() | command.env,
                pass_fds=command.sockets,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )


def _environment() -> dict[str, str]:
    """Return this process's environment without variables that configure its children."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "PG"))}


def liveness(folder: Folder) -> dict[str, bool]:
    """Return whether each recorded process is alive, by name."""
    return {record.name: record.alive() for record in _records(folder)}


def send_signal(folder: Folder, name: str, number: signal.Signals) -> None:
    """Send a signal to a recorded process and its children.

    :raises StackError: no such process is running
    """
    for record in _records(folder):
        if record.name == name and record.alive():
            os.killpg(record.pid, number)
            return
    raise StackError(f"no {name} is running in {folder.path}")


def stop_all(folder: Folder) -> None:
    """End every recorded process with its session.

    :raises StackError: a process does not end
    """
    records = _records(folder)
    for record in records:
        record.terminate()
    _wait_for_end(records, STOP_LIMIT)
    for record in records:
        record.kill()
    _wait_for_end(records, STOP_LIMIT)
    alive = [record.name for record in records if record.alive()]
    if alive:
        raise StackError(f"did not end: {', '.join(alive)}; see {folder.run}")
    for record in records:
        _record_path(folder, record.name).unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Record:
    """A process with a file in ``run/``.

    :ivar start_ticks: when it started, in the kernel's ticks; a later process with the same
        id has another value
    """

    name: str
    pid: int
    start_ticks: int
    stop: int

    def alive(self) -> bool:
        # A child of this process stays a zombie until it is waited for.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _start_ticks(self.pid) == self.start_ticks

    def terminate(self) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, self.stop)

    def kill(self) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def _record_path(folder: Folder, name: str) -> Path:
    return folder.run / f"{name}.json"


def _record(folder: Folder, command: Command, pid: int) -> None:
    # It has not been waited for, so it has a start even if it has ended already.
    record = {
        "pid": pid,
        "start_ticks": _start_ticks(pid, dead_too=True),
        "stop": int(command.stop),
    }
    write_private(_record_path(folder, command.name), json.dumps(record))


def _records(folder: Folder) -> list[_Record]:
    records = []
    for path in sorted(folder.run.glob("*.json")):
        with contextlib.suppress(ValueError, KeyError, FileNotFoundError):
            facts = json.loads(path.read_text())
            records.append(_Record(path.stem, facts["pid"], facts["start_ticks"], facts["stop"]))
    return records


def _wait_for_end(records: Sequence[_Record], limit: float) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and any(record.alive() for record in records):
        time.sleep(_TICK)


def _start_ticks(pid: int, dead_too: bool = False) -> int | None:
    """Return when a process started (field 22 of proc(5)'s stat); None: no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field, the name, may contain spaces and parentheses: count from its end.
    state, *fields = text.rpartition(")")[2].split()
    if state in "ZX" and not dead_too:
        return None
    return int(fields[18])
