"""Telling systemd how the daemon is: the datagrams of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Self


class Notifier:
    """Sends to the socket that systemd named; to nobody where it named none.

    :param address: path of a Unix socket, or ``@name``; empty for none
    :param watchdog: seconds after which systemd gives up on a daemon that is silent; 0: never
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        # systemd writes an abstract address, whose first byte is zero, with an @.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read what systemd says in the environment; see sd_watchdog_enabled(3)."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(microseconds) / 1e6 if microseconds.isdecimal() and meant else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), seconds)

    def ready(self, status: str) -> None:
        """Say that the daemon, or its reloading, is done."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that files are being re-read."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """Say that the daemon comes to its end."""
        self._send("STOPPING=1\nSTATUS=finishing the batch at hand")

    def status(self, text: str) -> None:
        """Say in one line how the daemon is."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Keep the watchdog quiet."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # The daemon's work does not depend on who watches it.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client,
        ):
            client.settimeout(1.0)
            client.connect(self._address)
            client.send(message.encode())
