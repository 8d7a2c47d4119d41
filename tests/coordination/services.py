"""Private coordination services on loopback: stop them, freeze them, start them again."""

from __future__ import annotations

import abc
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest
import requests

from tests.databases.process import HOST, LIMIT, ServerProcess, account, free_port


class Service(abc.ABC):
    """A coordination service whose port survives :meth:`stop`.

    :cvar MEMBERSHIP: option of the URL with the seconds after which a member is left out
    :ivar url: for ``[orchestrator] coordination_url``
    """

    PROGRAM: str
    PACKAGE: str
    MEMBERSHIP = "membership_timeout"

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: ServerProcess | None = None

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """The URL for daemons."""

    @abc.abstractmethod
    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command that starts it."""

    @abc.abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it answers."""

    def start(self) -> None:
        """Start it; return when it answers."""
        self._process = ServerProcess(self._folder, self.command())
        deadline = time.monotonic() + LIMIT
        while not self.is_ready():
            assert self._process.alive, self._process.log
            assert time.monotonic() < deadline, self._process.log
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in good order."""
        if self._process is not None:
            self._process.end(signal.SIGTERM)

    def freeze(self) -> None:
        """Pause it: connections stay open, but it does not answer."""
        if self._process is not None:
            self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        if self._process is not None:
            self._process.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()


class Etcd(Service):
    """A cluster of one."""

    PROGRAM, PACKAGE = "etcd", "etcd-server"

    @property
    def url(self) -> str:
        """The URL for daemons."""
        return f"etcd3+http://{HOST}:{self._port}"

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command; its peers' port is any, because it has no peers."""
        client, peer = f"http://{HOST}:{self._port}", f"http://{HOST}:0"
        return [
            self.PROGRAM, "--data-dir", self._folder / "data", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            "--unsafe-no-fsync", "--log-level", "warn",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether it is healthy."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://{HOST}:{self._port}/health", timeout=5).ok
        return False


class Redis(Service):
    """A server that forgets everything when it stops."""

    PROGRAM, PACKAGE = "redis-server", "redis-server"

    @property
    def url(self) -> str:
        """The URL for daemons."""
        return f"redis://{HOST}:{self._port}"

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command."""
        return [
            self.PROGRAM, "--port", str(self._port), "--bind", HOST, "--save", "",
            "--dir", self._folder,
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self._port), 5) as client,
        ):
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False


class Zookeeper(Service):
    """A single server that keeps its data when it stops."""

    PROGRAM, PACKAGE = "zkServer.sh", "zookeeper and a Java runtime"
    MEMBERSHIP = "timeout"

    @property
    def url(self) -> str:
        """The URL for daemons."""
        return f"zookeeper://{HOST}:{self._port}"

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command; sessions may be as short as 2 ticks, and it logs to its output."""
        conf = self._folder / "zoo.cfg"
        conf.write_text(
            f"tickTime=500\ndataDir={self._folder}/data\nclientPort={self._port}\n"
            f"clientPortAddress={HOST}\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n"
        )
        conf.chmod(0o644)
        return [
            "java", "-Xmx128m", "-cp", "/usr/share/java/zookeeper.jar",
            "org.apache.zookeeper.server.ZooKeeperServerMain", conf,
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self._port), 5) as client,
        ):
            client.sendall(b"ruok")
            return client.recv(16) == b"imok"
        return False


SERVICES: Mapping[str, type[Etcd | Redis | Zookeeper]] = {
    "etcd": Etcd,
    "redis": Redis,
    "zookeeper": Zookeeper,
}


@contextlib.contextmanager
def run_service(name: str) -> Iterator[Service]:
    """Yield a running service; without its program skip the test, or fail where CI is set."""
    kind = SERVICES[name]
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/share/zookeeper/bin"))
    if shutil.which(kind.PROGRAM, path=path) is None:
        reason = f"no {kind.PROGRAM}: install {kind.PACKAGE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ratekit-{name}-"))
    if user := account():
        shutil.chown(folder, user)
    service = kind(folder)
    try:
        service.start()
        yield service
    finally:
        service.kill()
        shutil.rmtree(folder, ignore_errors=True)
