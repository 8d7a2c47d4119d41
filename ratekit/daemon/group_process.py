"""Runs the process that keeps the daemon in its group, and logs what becomes of the group."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from ratekit.coordination.board import GroupBoard
from ratekit.text import count_text, list_text

LOG = logging.getLogger(__name__)

#: Seconds that leaving the group may take.
_LEAVE_SECONDS = 3.0
#: Shortest time between two starts of the process, in seconds.
_RESTART_SECONDS = 5.0


class GroupProcess:
    """Starts the coordinating process, and another one whenever it dies.

    It is a new program, not a fork, so that nothing in it is patched for green threads.

    :param scheme: of the coordination service, for the log
    :param url: as in the configuration
    :param name: of this daemon, different from all others
    :param workers: number of its workers
    :param patience: seconds without an answer after which the service counts as away
    """

    def __init__(
        self, scheme: str, url: str, name: str, workers: int, board: GroupBoard, patience: float
    ) -> None:
        self._scheme = scheme
        self._name = name
        self._task = {"url": url, "name": name, "workers": workers, "board": board.file}
        self._board = board
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        #: When a silence of the service can have begun, seconds of the monotonic clock.
        self._silent_since = 0.0
        self._last_check = 0.0
        self._next_start = 0.0
        self._is_away = False
        self._members: Sequence[tuple[str, int]] = ()

    @property
    def pid(self) -> int | None:
        """Id of the process; None: it does not run."""
        return None if self._process is None else self._process.pid

    def check(self) -> None:
        """Start the process if it does not run; log changes of the group."""
        if self._process is None or self._process.poll() is not None:
            self._restart()
        members, error = self._board.read()
        is_away = self._is_silent()
        if is_away and not self._is_away:
            LOG.warning(
                "the coordination service %s does not answer; %s until it does: %s",
                self._scheme,
                f"the last known group of {count_text(len(members), 'daemon')} stays"
                if members
                else "this daemon rates all scopes",
                error or "no reply",
            )
        elif self._is_away and not is_away:
            LOG.info("the coordination service %s answers again", self._scheme)
        self._is_away = is_away
        if members != self._members:
            self._members = members
            names = list_text([name for name, _ in members])
            LOG.info("the scopes are shared by %s: %s", count_text(len(members), "daemon"), names)

    def _restart(self) -> None:
        """Start the process, some seconds after the last start at the earliest."""
        now = time.monotonic()
        if now < self._next_start:
            return
        self._next_start = now + _RESTART_SECONDS
        if self._process is not None:
            LOG.warning("the coordinating process died and was replaced")
            self.stop()
        try:
            self._start()
        except OSError as error:
            LOG.warning("the coordinating process cannot be started: %s", error)

    def _is_silent(self) -> bool:
        now = time.monotonic()
        if now - self._last_check > self._patience / 2 or not self._board.started:
            # This host was frozen, or the process is only starting.
            self._silent_since = now
        self._last_check = now
        last_answer = max(self._board.answered, self._board.started, self._silent_since)
        return now - last_answer > self._patience

    def stop(self) -> None:
        """Leave the group; end the process."""
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def _start(self) -> None:
        self._board.started = 0.0
        self._process = subprocess.Popen(
            # Not from the current folder, where anybody may have put a module of some name.
            [sys.executable, "-P", "-m", "ratekit.coordination.member"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._board.file],
            # oslo.service must not reap it, nor a terminal interrupt it.
            process_group=0,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        assert self._process.stdin is not None
        # By a pipe, because everybody can read the arguments of a process.
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(self._task).encode() + b"\n")
            self._process.stdin.flush()
