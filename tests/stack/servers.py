"""Ports of our own, and HTTP servers that listen on them."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import sys
from pathlib import Path

from tests.stack.errors import StackError
from tests.stack.processes import Command, Process, Processes

HOST = "127.0.0.1"
_SCRIPT = Path(__file__).with_name("serve.py")
# Deprecation warnings of what we start concern nobody here.
QUIET = {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Door:
    """A port that is ours from the moment it was picked: its socket is bound."""

    socket: socket.socket
    port: int

    @classmethod
    def pick(cls) -> Door:
        """:raises OSError: this host has no loopback network."""
        bound = socket.socket()
        bound.bind((HOST, 0))
        return cls(bound, bound.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def start_server(processes: Processes, service: str, door: Door, config: Path) -> Process:
    """Start ``keystone`` or ``gnocchi`` behind ``door``.

    :raises StackError: it cannot be started
    """
    handle = door.socket.fileno()
    args = (sys.executable, "-P", _SCRIPT, service, str(handle), config)
    process = processes.start(Command(f"{service}-api", args, QUIET, sockets=(handle,)))
    # Ours must go, or clients would hang instead of failing once the server is dead.
    door.socket.close()
    return process


def answers(door: Door) -> bool:
    """Whether a server behind ``door`` answers HTTP."""
    connection = http.client.HTTPConnection(HOST, door.port, timeout=10)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return status < 500


def tool(name: str) -> Path:
    """A command of the environment that we run in.

    :raises StackError: it is not installed there
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise StackError(f"{path} does not exist: install what tests/stack needs")
    return path
