"""Reports the state of the daemon to systemd, with the datagrams of sd_notify(3)."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

from ratekit.text import duration_text, printable


class Notifier:
    """Sends messages to the socket of systemd; sends nothing if there is no socket.

    :param address: path of a Unix socket, or ``@name``; empty for none
    :param watchdog: seconds without a message after which systemd restarts the daemon; 0: never
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        # systemd writes the first byte of an abstract address, which is zero, as @.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables that systemd sets; see sd_watchdog_enabled(3)."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        pid = str(os.getpid())
        applies = environment.get("WATCHDOG_PID", pid) == pid
        seconds = int(microseconds) / 1e6 if microseconds.isdecimal() and applies else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), seconds)

    def explain_short_watchdog(self, batch_timeout: float) -> str | None:
        """Return why the watchdog may end a daemon that makes progress; None: it does not.

        Half of its time must be enough for a batch and a probe after it.

        :param batch_timeout: maximum number of seconds to collect a batch
        """
        needed = 4 * batch_timeout
        if not self.watchdog or self.watchdog > needed:
            return None
        return (
            f"WatchdogSec is {_text(self.watchdog)}: systemd may restart the daemon while it "
            "collects a batch; set it to more than 4 times [orchestrator] batch_timeout, "
            f"{_text(needed)}"
        )

    def ready(self, status: str) -> None:
        """Report that the daemon has started, or has reloaded its files."""
        self._send(f"READY=1\nSTATUS={printable(status)}")

    def reloading(self) -> None:
        """Report that files are being re-read."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1\nSTATUS=finishing the current batch")

    def status(self, text: str) -> None:
        """Report the state of the daemon in one line."""
        self._send(f"STATUS={printable(text)}")

    def alive(self) -> None:
        """Report to the watchdog that the daemon makes progress."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # Rating continues even if systemd cannot be reached.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client,
        ):
            client.settimeout(1.0)
            client.connect(self._address)
            client.send(message.encode())


def _text(seconds: float) -> str:
    return duration_text(datetime.timedelta(seconds=seconds))
