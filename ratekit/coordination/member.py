"""The process that keeps a daemon in its group; it computes nothing, so it is never late."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tooz import coordination

from ratekit.coordination.board import GroupBoard
from ratekit.coordination.service_url import REQUEST_SECONDS, ServiceUrl
from ratekit.redact import redact_urls

#: Parts of the membership timeout between two heartbeats.
_BEATS = 5
#: Longest time between two heartbeats, in seconds: joins and leaves are seen after this time.
_LONGEST_BEAT = 2.0
#: Seconds to wait for the service when the daemon ends.
_LEAVE_SECONDS = 2.0
#: Seconds to wait for the answer to one request.
_ANSWER_SECONDS = 10.0


class Member:
    """Keeps a daemon in its group, and publishes the group's members.

    :param name: of the daemon, different from all others
    :param workers: number of its workers
    """

    def __init__(self, service: ServiceUrl, name: str, workers: int, board: GroupBoard) -> None:
        self._service = service
        self._name = name
        self._workers = workers
        self._board = board
        self._group = service.group.encode()
        self._coordinator: Any = None
        self._has_failed = False
        #: Until then members that are missing are not taken for dead.
        self._keep_until = 0.0
        self._pause = min(service.membership_seconds / _BEATS, _LONGEST_BEAT)

    def run(self, stop: threading.Event) -> None:
        """Stay in the group until ``stop`` is set; then leave it."""
        self._board.started = time.monotonic()
        while not stop.is_set():
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - drivers raise errors of several libraries
                self._has_failed = True
                # The last known members stay.
                self._board.publish(dict(self._board.read()[0]), describe(error))
            stop.wait(self._pause)
        if self._coordinator is not None:
            # A service that is away forgets this member by itself.
            with contextlib.suppress(Exception):
                self._coordinator.leave_group(self._group).get(_LEAVE_SECONDS)
                self._coordinator.stop()

    def _beat(self) -> None:
        if self._has_failed:
            require_listening(self._service)
        if self._coordinator is None:
            self._coordinator = connect(self._service, self._name)
        else:
            self._coordinator.heartbeat()
        members = self._read_members()
        if self._name not in members:
            # It is new, or it was frozen for so long that the service has removed it.
            self._join()
            members = self._read_members()
        now = time.monotonic()
        silence = now - self._board.answered
        if self._board.answered and (
            self._has_failed or silence > self._service.membership_seconds / 2
        ):
            # A service that starts again may have lost its members, who now join one by one.
            self._keep_until = now + self._service.membership_seconds
        self._has_failed = False
        last_members = dict(self._board.read()[0]) if now < self._keep_until else {}
        self._board.publish({**last_members, **members, self._name: self._workers})
        self._board.answered = now

    def _read_members(self) -> Mapping[str, int]:
        return read_members(self._coordinator, self._service.group)

    def _join(self) -> None:
        _wait(lambda: self._coordinator.create_group(self._group), coordination.GroupAlreadyExist)
        capabilities = {"workers": self._workers}
        _wait(
            lambda: self._coordinator.join_group(self._group, capabilities),
            coordination.MemberAlreadyExist,
        )


def connect(service: ServiceUrl, name: str) -> Any:
    """Return a started coordinator.

    :raises Exception: as the driver's library does
    """
    require_listening(service)
    coordinator = coordination.get_coordinator(service.url, name.encode())
    coordinator.start()
    return coordinator


def require_listening(service: ServiceUrl) -> None:
    """Require that the service accepts connections.

    Redis's driver would try again for a minute.

    :raises OSError: it does not
    """
    if service.address is not None:
        socket.create_connection(service.address, REQUEST_SECONDS).close()


def read_members(coordinator: Any, group: str) -> Mapping[str, int]:
    """Return the number of workers of each member of a group, by name; none if there is no group.

    :raises Exception: as the driver's library does
    """
    try:
        members = coordinator.get_members_with_capabilities(group.encode()).get(_ANSWER_SECONDS)
    except coordination.GroupNotCreated:
        return {}
    return {
        name.decode(): int((capabilities or {}).get("workers", 1))
        for name, capabilities in members.items()
    }


def describe(error: Exception) -> str:
    """Return the cause of a failure in one line, without passwords of URLs."""
    detail = str(error) or getattr(error, "detail_text", None) or type(error).__name__
    text = " ".join(str(detail).split())
    return redact_urls(text)[:500]


def _wait(call: Callable[[], Any], expected: type[Exception]) -> None:
    try:
        call().get(_ANSWER_SECONDS)
    except expected:
        return


def main() -> None:
    """Run until standard input ends, because all processes of the daemon have.

    Signals that the whole daemon gets end its workers first: until their last batch is stored,
    other daemons must not take their scopes.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Drivers log each attempt to connect; the daemon says once that the service is away.
    logging.disable()
    task = json.loads(sys.stdin.readline())
    service = ServiceUrl.parse(task["url"])
    member = Member(service, task["name"], task["workers"], GroupBoard(task["board"]))
    stop = threading.Event()
    thread = threading.Thread(target=member.run, args=[stop], daemon=True)
    thread.start()
    sys.stdin.read()
    stop.set()
    thread.join(_LEAVE_SECONDS)
    # A service that does not answer must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
