"""A server process of ours: run by a user with least rights, ended with all its children."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
from collections.abc import Sequence

import psutil

#: Seconds that a command or an orderly end may take.
LIMIT = 60.0

HOST = "127.0.0.1"


def account() -> str | None:
    """Return who shall run servers: we (None), or somebody with least rights if we are root."""
    return "nobody" if os.geteuid() == 0 else None


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return int(bound.getsockname()[1])


def run(folder: pathlib.Path, *command: str | pathlib.Path) -> None:
    """Run a command to its end, in ``folder``.

    :raises RuntimeError: it fails; the message has what it wrote
    """
    done = subprocess.run(
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
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}")


# Its standard input ends when we do, however that comes about.
_WATCH = 'cat; kill -9 "$0"; sleep 1; rm -rf "$1"'


class Daemon:
    """A process that runs until it is told to end, or until we end, were it by SIGKILL.

    :param folder: where it runs, removed should we end without a word; its output goes to
        ``log`` in there
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
        """The end of what it wrote."""
        return self._log.read_text(errors="replace")[-2000:]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all its children; nothing if it has ended."""
        if self.alive:
            for one in self._family():
                _send(one, number)

    def end(self, number: signal.Signals) -> None:
        """Ask it to end, and wait until it and its children have; nothing if it has ended.

        :raises RuntimeError: they would not
        """
        family = self._family()
        if family:
            _send(family[0], number)
        self._ended(family)

    def kill(self) -> None:
        """End it and its children at once, as a lack of memory would."""
        family = self._family()
        for one in family:
            _send(one, signal.SIGKILL)
        self._ended(family)

    def _ended(self, family: list[psutil.Process]) -> None:
        self._popen.wait(LIMIT)
        _gone(family)
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


def _gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=LIMIT)
    if alive:
        raise RuntimeError(f"would not end: {alive}")


def _environment(folder: pathlib.Path) -> dict[str, str]:
    """Ours, without what a server would take for orders."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "MYSQL"))}
    return {**ours, "TMPDIR": str(folder), "HOME": str(folder)}
