"""The process that keeps a daemon in its group, on real services."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ratekit.coordination.board import GroupBoard
from ratekit.daemon.group_process import GroupProcess
from tests.coordination.conftest import FULL
from tests.coordination.services import Service
from tests.faults.trial import wait_until

#: Seconds without a heartbeat after which members are removed: short, to save time.
MEMBERSHIP = 2


class Member:
    """A daemon's membership without the daemon."""

    def __init__(self, service: Service, name: str, workers: int) -> None:
        self.board = GroupBoard.create()
        url = f"{service.url}?{service.MEMBERSHIP}={MEMBERSHIP}&group=test"
        self.process = GroupProcess("test", url, name, workers, self.board, MEMBERSHIP)
        self.process.check()

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self.process.pid is not None
        return self.process.pid

    def sees(self, **workers: int) -> bool:
        """Tell whether the group consists of these members."""
        self.process.check()
        return dict(self.board.read()[0]) == workers


NewMember = Callable[[str, int], Member]


@pytest.fixture
def new_member(service: Service) -> Iterator[NewMember]:
    with contextlib.ExitStack() as stack:

        def make(name: str, workers: int) -> Member:
            member = Member(service, name, workers)
            stack.callback(member.process.stop)
            return member

        yield make


def test_members_see_who_joins_freezes_thaws_and_leaves(new_member: NewMember) -> None:
    first, second = new_member("first", 2), new_member("second", 3)
    assert wait_until(lambda: first.sees(first=2, second=3))
    assert wait_until(lambda: second.sees(first=2, second=3))
    os.kill(second.pid, signal.SIGSTOP)
    assert wait_until(lambda: first.sees(first=2))
    os.kill(second.pid, signal.SIGCONT)
    assert wait_until(lambda: first.sees(first=2, second=3))
    second.process.stop()
    assert wait_until(lambda: first.sees(first=2))


@pytest.mark.parametrize("service", ["etcd"], indirect=True)
def test_a_killed_process_is_replaced(
    new_member: NewMember, caplog: pytest.LogCaptureFixture
) -> None:
    member = new_member("first", 1)
    assert wait_until(lambda: member.sees(first=1))
    pid, answered = member.pid, member.board.answered
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: member.sees(first=1) and member.board.answered > answered)
    assert member.pid != pid
    assert "the coordinating process died and was replaced" in caplog.text


@pytest.mark.parametrize("service", ["etcd"], indirect=True)
def test_signals_that_all_processes_of_a_daemon_get_do_not_end_the_membership(
    new_member: NewMember,
) -> None:
    member = new_member("first", 1)
    assert wait_until(lambda: member.sees(first=1))
    pid = member.pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    sent = time.monotonic()
    assert wait_until(lambda: member.sees(first=1) and member.board.answered > sent)
    assert member.pid == pid


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ("etcd", "stop"),
        ("redis", "freeze"),
        *(
            [("etcd", "freeze"), ("redis", "stop"), ("zookeeper", "stop"), ("zookeeper", "freeze")]
            * FULL
        ),
    ],
    indirect=["service"],
)
def test_a_service_that_is_away_is_reported_once_and_the_members_stay(
    fault: str, service: Service, new_member: NewMember, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first, second = new_member("first", 1), new_member("second", 1)
    assert wait_until(lambda: first.sees(first=1, second=1))
    assert wait_until(lambda: second.sees(first=1, second=1))
    caplog.clear()
    getattr(service, fault)()
    assert wait_until(lambda: first.sees(first=1, second=1) and "not answer" in caplog.text)
    time.sleep(1)
    assert first.sees(first=1, second=1)
    service.thaw() if fault == "freeze" else service.start()
    assert wait_until(lambda: first.sees(first=1, second=1) and "answers again" in caplog.text)
    assert wait_until(lambda: second.sees(first=1, second=1))
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "first" not in line and "again" not in line] == [
        line for line in lines if "the last known group of 2 daemons stays" in line
    ]


def test_a_service_that_starts_later_is_joined(service: Service, new_member: NewMember) -> None:
    service.stop()
    member = new_member("first", 1)
    assert wait_until(lambda: bool(member.board.read()[1]))
    assert member.sees()
    service.start()
    assert wait_until(lambda: member.sees(first=1))


def test_a_service_that_hangs_does_not_hang_the_end(
    service: Service, new_member: NewMember
) -> None:
    member = new_member("first", 1)
    assert wait_until(lambda: member.sees(first=1))
    service.freeze()
    member.process.stop()
    assert member.process.pid is None


def test_the_end_without_the_service_prints_nothing(
    service: Service, new_member: NewMember, capfd: pytest.CaptureFixture[str]
) -> None:
    member = new_member("first", 1)
    assert wait_until(lambda: member.sees(first=1))
    service.stop()
    member.process.stop()
    assert capfd.readouterr().err == ""
