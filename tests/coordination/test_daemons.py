"""Daemons that share a catch-up: each frame once, whatever becomes of them and of the service."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Collection, Iterator, Sequence

import psutil
import pytest

from ratekit.coordination.group import Group
from ratekit.domain.schedule.division import Turn
from tests.builders import MINUTE
from tests.coordination.conftest import FULL, NewSite
from tests.coordination.gnocchi import Gnocchi
from tests.coordination.services import SERVICES, Service, run_service
from tests.coordination.site import Daemon, Site
from tests.faults.trial import wait_until

#: One scope over a day in each batch, so that there are many.
SMALL = {"batch_frames": 24}
#: Seconds in which the work moves after a change of the group, as the documentation promises.
MOVING = 15.0


@contextlib.contextmanager
def orderly(*daemons: Daemon) -> Iterator[None]:
    """Require that daemons end after SIGTERM, without a traceback."""
    yield
    for daemon in daemons:
        daemon.terminate()
    assert [daemon.wait(60) for daemon in daemons] == [0] * len(daemons)
    for daemon in daemons:
        assert "Traceback" not in daemon.log_text()


def agree(daemons: Collection[Daemon]) -> bool:
    """Tell whether all daemons see all of them and no others."""
    groups = {tuple(daemon.members()) for daemon in daemons}
    return {len(group) for group in groups} == {len(daemons)} and len(groups) == 1


def settle(change: str, daemons: Collection[Daemon]) -> None:
    """Require that all daemons see a change in the time that the documentation promises."""
    start = time.monotonic()
    assert wait_until(lambda: agree(daemons), MOVING), change
    print(f"{change}: seen by all after {time.monotonic() - start:.1f} s")


def own_scopes(site: Site, daemon: Daemon, name: str, workers: int = 1) -> list[str]:
    """Return the scopes of a member of the group that a daemon sees."""
    members = tuple((member, workers) for member in daemon.members())
    division = Group(name, members).divide(0, MINUTE)
    return [id_ for id_ in site.scopes if division.turn(id_) is not Turn.RESCUE]


def only_known_by(daemon: Daemon, others: Sequence[Daemon]) -> str:
    """Return the member that left between what others saw last and what a daemon saw last."""
    (name,) = set(daemon.members()) - {name for other in others for name in other.members()}
    return name


def asked_by(site: Site, since: float, user: str) -> set[str]:
    """Return the scopes that a daemon has asked for since an instant."""
    return {
        scope
        for ask in list(site.gnocchi.asks)
        if ask.instant >= since and ask.user == user
        for scope, _ in ask.points
    }


@pytest.mark.parametrize("service", sorted(SERVICES) if FULL else ["etcd"], indirect=True)
def test_the_work_moves_when_daemons_die_join_freeze_and_the_service_is_away(
    service: Service, new_site: NewSite
) -> None:
    site = new_site(scopes=1500 if FULL else 300, periods=24)
    site.gnocchi.delay = 1.0
    options = {**SMALL, "coordination_url": service.url}
    first, second, third = (site.start(name, **options) for name in ("first", "second", "third"))
    assert wait_until(lambda: agree([first, second, third]))
    began = time.monotonic()
    first.kill()
    settle("killed", [second, third])
    dead_name = only_known_by(first, [second])
    dead_scopes = own_scopes(site, first, dead_name)
    rated = site.rated_periods()
    left = [scope for scope in dead_scopes if rated[scope] < site.periods]
    assert wait_until(
        lambda: (
            bool(asked_by(site, began, "second") & set(left))
            and bool(asked_by(site, began, "third") & set(left))
        )
    )

    fourth = site.start("fourth", **options)
    # Until it has started, nobody can see it.
    assert wait_until(lambda: bool(fourth.members()))
    settle("added", [second, third, fourth])
    assert wait_until(lambda: bool(asked_by(site, began, "fourth")))

    second.send(signal.SIGSTOP)
    settle("frozen", [third, fourth])
    second.send(signal.SIGCONT)
    settle("thawed", [second, third, fourth])

    service.stop()
    assert wait_until(lambda: "does not answer; the last known group of 3" in third.log_text())
    service.start()
    assert wait_until(lambda: "answers again" in third.log_text())
    assert not site.is_complete()
    site.gnocchi.delay = 0.02
    with orderly(second, third, fourth):
        assert wait_until(site.is_complete)
        site.require_each_frame_once()


@pytest.mark.parametrize("service", sorted(SERVICES) if FULL else ["redis"], indirect=True)
def test_daemons_of_one_group_ask_nothing_twice(service: Service, new_site: NewSite) -> None:
    site = new_site(scopes=300 if FULL else 80, periods=24)
    site.gnocchi.delay = 0.1
    options = {**SMALL, "coordination_url": service.url, "max_workers": 2}
    first, second = (site.start(name, **options) for name in ("first", "second"))
    with orderly(first, second):
        assert wait_until(site.is_complete)
        site.require_each_frame_once()
    # Not even at the start, because each waits until the other one knows it.
    assert site.gnocchi.count_twice()[1] == 0
    shares = {user: len(asked_by(site, 0, user)) for user in ("first", "second")}
    assert min(shares.values()) > len(site.scopes) / 5


@pytest.mark.parametrize("workers", [1, 2] if FULL else [2])
def test_two_daemons_without_coordination_ask_little_twice(
    workers: int, new_site: NewSite, gnocchi: Gnocchi
) -> None:
    site = new_site(scopes=300 if FULL else 80, periods=24)
    gnocchi.delay = 0.1
    options = {**SMALL, "max_workers": workers}
    first, second = (site.start(name, **options) for name in ("first", "second"))
    with orderly(first, second):
        assert wait_until(site.is_complete)
    site.require_each_frame_once()
    points, again = gnocchi.count_twice()
    assert again <= points / 10
    assert {ask.user for ask in gnocchi.asks} == {"first", "second"}


def test_workers_help_one_that_has_a_slow_scope(new_site: NewSite, gnocchi: Gnocchi) -> None:
    site = new_site(scopes=40, periods=24)
    slow = site.scopes[0]
    gnocchi.delays = {slow: 20.0}
    gnocchi.delay = 0.05
    daemon = site.start("first", **SMALL, max_workers=2)
    with orderly(daemon):

        def is_all_but_one_rated() -> bool:
            periods = site.rated_periods()
            return len(periods) == 40 and all(
                periods[scope] == site.periods for scope in site.scopes if scope != slow
            )

        assert wait_until(lambda: any((slow in dict(ask.points)) for ask in gnocchi.asks))
        assert wait_until(is_all_but_one_rated)
        # The slow one is still being collected, by a worker that has done nothing else since.
        assert site.rated_periods()[slow] == 0
        assert wait_until(site.is_complete)
    site.require_each_frame_once()
    assert gnocchi.count_twice()[1] == 0


@pytest.mark.skipif(not FULL, reason="waits for minutes; only in the long profile")
def test_two_daemons_without_coordination_ask_little_twice_when_a_period_becomes_due(
    new_site: NewSite, gnocchi: Gnocchi
) -> None:
    gnocchi.step = MINUTE
    gnocchi.delay = 0.1
    site = new_site(scopes=100, periods=2)
    first, second = (site.start(name, batch_frames=10) for name in ("first", "second"))
    with orderly(first, second):
        assert wait_until(site.is_complete)
        assert wait_until(lambda: site.is_complete(more=1))
        gnocchi.asks.clear()
        assert wait_until(lambda: site.is_complete(more=3))
    points, again = gnocchi.count_twice()
    assert again <= points / 10
    assert {ask.user for ask in gnocchi.asks} == {"first", "second"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_to_all_processes_of_a_daemon_ends_them_in_silence(
    number: signal.Signals, code: int, new_site: NewSite
) -> None:
    site = new_site(scopes=2, periods=2)
    with run_service("redis") as service:
        daemon = site.start("first", coordination_url=service.url)
        assert wait_until(site.is_complete)
        text, processes = daemon.log_text(), daemon.processes()
        assert len(processes) == 3
        daemon.send(number)
        assert daemon.wait(60) == code
        assert psutil.wait_procs(processes, 20)[1] == []
    lines = daemon.log_text().removeprefix(text).splitlines()
    assert [line for line in lines if "interrupted" not in line and "stopped" not in line] == []


def test_a_service_that_cannot_be_used_is_named_and_counts_as_none(new_site: NewSite) -> None:
    site = new_site(scopes=2, periods=2)
    daemon = site.start("first", coordination_url="mysql://host/database")
    with orderly(daemon):
        assert wait_until(site.is_complete)
    warnings = re.findall("WARNING .*coordination_url.*", daemon.log_text())
    assert len(warnings) == 1
    assert "coordination_url is ignored: mysql is not supported" in warnings[0]


def test_status_names_the_group_or_says_why_it_cannot(new_site: NewSite) -> None:
    site = new_site(scopes=2, periods=2)
    with run_service("redis") as service:
        daemon = site.start("first", coordination_url=service.url, max_workers=3)
        assert wait_until(lambda: len(daemon.members()) == 1)
        assert wait_until(site.is_complete)
        [member] = site.status("first")["Group"]
        assert member == {"name": daemon.members()[0], "workers": 3}
        service.stop()
        assert site.status("first")["Group"] is None
