"""A server process that runs as an unprivileged user and ends with all its children."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Sequence

import psutil

#: Seconds that a command or an orderly stop may take.
LIMIT = 60.0

#: Seconds between two looks at processes that are to end.
_TICK = 0.05

HOST = "127.0.0.1"


def account() -> str | None:
    """Return the user that runs servers: None for the current one, ``nobody`` for root."""
    return "nobody" if os.geteuid() == 0 else None


def free_port() -> int:
    """Return a port of loopback that was just free."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return int(bound.getsockname()[1])


def run(folder: pathlib.Path, *command: str | pathlib.Path) -> None:
    """Run a command to its end, in ``folder``.

    :raises RuntimeError: it fails; the message has its output
    """
    result = subprocess.run(
        command,
        user=account(),
        extra_groups=None if account() is None else [],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
    if result.returncode:
        raise RuntimeError(f"{command[0]} failed: {result.stdout}")


# Its standard input ends when this process ends, also after SIGKILL.
_WATCH = 'cat; kill -9 "$0"; sleep 1; rm -rf "$1"'


class ServerProcess:
    """A process that runs until it is stopped, or until this process ends, also by SIGKILL.

    :param folder: its working directory with its output in ``log``; removed if this process ends
        without stopping it
    """

    def __init__(self, folder: pathlib.Path, command: Sequence[str | pathlib.Path]) -> None:
        self._log = folder / "log"
        with self._log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                user=account(),
                extra_groups=None if account() is None else [],
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, str(self._popen.pid), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    @property
    def log(self) -> str:
        """The end of its output."""
        return self._log.read_text(errors="replace")[-2000:]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all its children; nothing if it has ended."""
        if self.alive:
            for process in self._family():
                _send(process, number)

    def end(self, number: signal.Signals) -> None:
        """Ask it to end, and wait for it and its children; nothing if it has ended.

        :raises RuntimeError: a process does not end
        """
        family = self._family()
        if family:
            _send(family[0], number)
        self._wait(family)

    def kill(self) -> None:
        """End it and its children at once, as a lack of memory would."""
        family = self._family()
        for process in family:
            _send(process, signal.SIGKILL)
        self._wait(family)

    def _wait(self, family: list[psutil.Process]) -> None:
        self._popen.wait(LIMIT)
        _wait_for_end(family)
        self._watch.kill()
        self._watch.communicate()

    def _family(self) -> list[psutil.Process]:
        """Return the process and its children, itself first."""
        try:
            parent = psutil.Process(self._popen.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if nobody fetches its exit code.

    Orphans stay zombies in a container whose first process is no init.
    """
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _wait_for_end(family: list[psutil.Process]) -> None:
    deadline = time.monotonic() + LIMIT
    while alive := [process for process in family if not has_ended(process)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"did not end: {alive}")
        time.sleep(_TICK)


def _environment(folder: pathlib.Path) -> dict[str, str]:
    """Return this process's environment without variables that configure a server."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PG", "MYSQL"))
    }
    return {**environment, "TMPDIR": str(folder), "HOME": str(folder)}
