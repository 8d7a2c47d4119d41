"""Ports of loopback, and HTTP servers that listen on them."""

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
# Deprecation warnings of the servers are of no use here.
QUIET = {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}


@dataclasses.dataclass(frozen=True, slots=True)
class BoundPort:
    """A port of loopback with its bound socket, so that no other process takes the port."""

    socket: socket.socket
    number: int

    @classmethod
    def any(cls) -> BoundPort:
        """Bind a free port.

        :raises OSError: this host has no loopback network
        """
        bound = socket.socket()
        bound.bind((HOST, 0))
        return cls(bound, bound.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.number}"


def start_server(processes: Processes, service: str, port: BoundPort, config: Path) -> Process:
    """Start ``keystone`` or ``gnocchi`` on ``port``.

    :raises StackError: it cannot be started
    """
    handle = port.socket.fileno()
    args = (sys.executable, "-P", _SCRIPT, service, str(handle), config)
    process = processes.start(Command(f"{service}-api", args, QUIET, sockets=(handle,)))
    # With this copy open, clients of a dead server would hang instead of failing.
    port.socket.close()
    return process


def answers(port: BoundPort) -> bool:
    """Tell whether a server on ``port`` answers HTTP."""
    connection = http.client.HTTPConnection(HOST, port.number, timeout=10)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return status < 500


def tool(name: str) -> Path:
    """Return the path of a command in this Python environment.

    :raises StackError: it is not installed
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise StackError(f"{path} does not exist: install ratekit-openstack[stack]")
    return path
