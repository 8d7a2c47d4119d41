"""Starting processes that outlive us, and finding them again.

Each process leads its own session and has a record under ``run/``, written
before anything waits for it, so that ``down`` finds what a killed ``up`` left.
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
"""Seconds that processes get to end by themselves."""
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
    :ivar account: None: the user that we are
    :ivar stop: the signal that ends it and what it started
    """

    name: str
    args: Sequence[str | Path]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    sockets: tuple[int, ...] = ()
    account: Account | None = None
    stop: signal.Signals = signal.SIGTERM


class Process:
    """A process that we started."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen

    def ended(self) -> bool:
        """Whether it has ended well.

        :raises StackError: it has failed
        """
        code = self._popen.poll()
        if code:
            raise StackError(f"{self.name} ended with code {code}: see {self.log}")
        return code == 0

    def check(self) -> None:
        """:raises StackError: it has ended, which a server should not."""
        if self.ended():
            raise StackError(f"{self.name} ended unasked: see {self.log}")

    def leave(self) -> None:
        """Let it run on after us; otherwise Popen warns that it still does."""
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

        :raises StackError: it cannot be started, or we are stopping
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
        """Wait until ``server`` is ready; from then on ``check`` misses it when it ends.

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
        self._until(process.ended, process, limit)
        _record_path(self._folder, command.name).unlink(missing_ok=True)

    def check(self) -> None:
        """:raises StackError: a watched server has ended, or we are stopping."""
        if self._closed.is_set():
            raise StackError("stopped")
        for server in tuple(self._servers):
            server.check()

    def leave(self) -> None:
        """Let the watched servers run on after us.

        :raises StackError: one has ended
        """
        self.check()
        for server in self._servers:
            server.leave()

    def stop(self) -> None:
        """Start nothing any more, and end what was started.

        :raises StackError: something would not end
        """
        with self._lock:
            self._closed.set()
        stop_recorded(self._folder)

    def _until(self, done: Callable[[], bool], process: Process, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{process.name} was not done in {limit:g} s: see {process.log}")
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
    """Ours, without what oslo.config, Keystone or PostgreSQL would take for orders."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "PG"))}


def recorded(folder: Folder) -> dict[str, bool]:
    """The recorded processes by name, and whether they are alive."""
    return {record.name: record.alive() for record in _records(folder)}


def signal_recorded(folder: Folder, name: str, number: signal.Signals) -> None:
    """Send a signal to a recorded process and what it started.

    :raises StackError: it is not there
    """
    for record in _records(folder):
        if record.name == name and record.alive():
            os.killpg(record.pid, number)
            return
    raise StackError(f"no {name} is running in {folder.path}")


def stop_recorded(folder: Folder) -> None:
    """End every recorded process with its session, whoever started it.

    :raises StackError: something would not end
    """
    records = _records(folder)
    for record in records:
        record.ask_to_end()
    _wait_for_end(records, STOP_LIMIT)
    for record in records:
        record.kill()
    _wait_for_end(records, STOP_LIMIT)
    stubborn = [record.name for record in records if record.alive()]
    if stubborn:
        raise StackError(f"would not end: {', '.join(stubborn)}; see {folder.run}")
    for record in records:
        _record_path(folder, record.name).unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Record:
    """A process on file.

    :ivar born: when it started, in the kernel's ticks; tells it from another
        process that was given the same number later
    """

    name: str
    pid: int
    born: int
    stop: int

    def alive(self) -> bool:
        # It may be our own child, and then stays a zombie until it is asked for.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _birth(self.pid) == self.born

    def ask_to_end(self) -> None:
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
    # Not reaped yet, so it has a birth even if it has ended already.
    record = {"pid": pid, "born": _birth(pid, dead_too=True), "stop": int(command.stop)}
    write_private(_record_path(folder, command.name), json.dumps(record))


def _records(folder: Folder) -> list[_Record]:
    found = []
    for path in sorted(folder.run.glob("*.json")):
        with contextlib.suppress(ValueError, KeyError, FileNotFoundError):
            facts = json.loads(path.read_text())
            found.append(_Record(path.stem, facts["pid"], facts["born"], facts["stop"]))
    return found


def _wait_for_end(records: Sequence[_Record], limit: float) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and any(record.alive() for record in records):
        time.sleep(_TICK)


def _birth(pid: int, dead_too: bool = False) -> int | None:
    """When a process started (field 22 of proc(5)'s stat); None: there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field, the name, may hold blanks and brackets: count from its end.
    state, *fields = text.rpartition(")")[2].split()
    if state in "ZX" and not dead_too:
        return None
    return int(fields[18])
