"""A Galera cluster whose nodes are all written to: prices, swaps and migrations stay right."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.scope import State
from ratekit.interfaces import Storage
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from tests.contract.given import (
    batch,
    build_series,
    hour,
    list_scopes,
    note,
    read_frames,
    reopen,
    run_at_once,
    window,
)
from tests.contract.test_tasks import NOW, queue_task, repricer
from tests.daily_totals import find_wrong_days
from tests.databases import galera_cluster
from tests.databases.galera import Node

pytestmark = pytest.mark.skipif(
    os.environ.get("RATEKIT_TEST_FULL") != "1", reason="a cluster is for the long profile"
)

#: A transaction that the other nodes need a second or so to apply; what was committed after it
#: is there already for them, in order, but not applied.
BACKLOG = (
    "INSERT INTO backlog SELECT NULL, REPEAT('x', 200) FROM seq_1_to_100000",
    "DELETE FROM backlog",
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    """Three nodes."""
    with galera_cluster() as cluster:
        yield cluster


@pytest.fixture
def urls(nodes: list[Node]) -> Iterator[list[str]]:
    """URLs of one migrated database on all nodes."""
    with nodes[0].fresh() as url:
        migrate.upgrade(url)
        name = sa.make_url(url).database
        nodes[0].execute(
            f"CREATE TABLE {name}.backlog"
            " (id int PRIMARY KEY AUTO_INCREMENT, text varchar(200)) ENGINE=InnoDB"
        )
        catch_up(nodes)
        yield [node.root.set(database=name).render_as_string(hide_password=False) for node in nodes]


def catch_up(nodes: list[Node]) -> None:
    """Wait until all nodes have applied what was committed."""
    last = int(nodes[0].status("wsrep_last_committed"))
    wait_until(lambda: all(int(node.status("wsrep_last_committed")) >= last for node in nodes[1:]))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def delay(url: str) -> None:
    """Give the other nodes work."""
    database = Database(url)
    for statement in BACKLOG:
        with database.writing() as connection:
            connection.exec_driver_sql(statement)
    database.close()


def rate_hour(storage: Storage, state: State, number: int, rules: int = 0) -> None:
    """Rate an hour of a scope."""
    begin = hour(number)
    storage.ledger.commit(
        batch(
            [dataclasses.replace(state, rated_until=begin)],
            build_series(state.scope.id, [("1", "1")], begin=begin),
            periods=window(1, begin),
            rules=rules,
        )
    )


def is_refused(url: str) -> bool:
    """Return whether the database cannot be used now."""
    try:
        revisions.current(url)
    except errors.TryLater:
        return True
    return False


def change_rules(storage: Storage, version: int) -> int:
    """Change the price rules."""
    return storage.rules.change(version, [], [], note())


def test_no_frames_are_written_at_prices_that_another_node_has_superseded(
    urls: list[str], nodes: list[Node]
) -> None:
    one, other = reopen(urls[0]), reopen(urls[1])
    states = list_scopes(one, "a")
    catch_up(nodes)
    outcomes = set()
    for version in range(3):
        delay(urls[0])
        change_rules(one, version)
        with pytest.raises(errors.Conflict) as caught:
            other.ledger.commit(batch(states, build_series("a", [("1", "1")]), rules=version))
        assert "no reply" not in str(caught.value)
        outcomes.add(str(caught.value))
        catch_up(nodes)
    assert any("(1213)" in line for line in outcomes)
    assert read_frames(one) == []


def test_processors_on_different_nodes_do_not_collide(urls: list[str], nodes: list[Node]) -> None:
    storages = [reopen(url) for url in urls]
    ids = ["a", "b", "c"]
    states = list_scopes(storages[0], *ids)
    catch_up(nodes)

    def rate(storage: Storage, state: State) -> None:
        for number in range(30):
            rate_hour(storage, state, number)

    pairs = zip(storages, states, strict=True)
    run_at_once(*(functools.partial(rate, *pair) for pair in pairs))
    catch_up(nodes)
    assert len(read_frames(storages[0])) == 90


def test_rules_change_while_other_nodes_commit(urls: list[str], nodes: list[Node]) -> None:
    one, other = reopen(urls[0]), reopen(urls[1])
    (state,) = list_scopes(one, "a")
    catch_up(nodes)
    done = threading.Event()
    outcomes: list[bool] = []

    def rate() -> None:
        while not done.is_set():
            try:
                rate_hour(other, state, sum(outcomes), other.rules.read().version)
            except errors.Conflict:
                outcomes.append(False)
            else:
                outcomes.append(True)

    def wait_for_a_try() -> None:
        tries = len(outcomes)
        wait_until(lambda: len(outcomes) > tries)

    def change() -> None:
        try:
            for version in range(10):
                wait_for_a_try()
                assert change_rules(one, version) == version + 1
        finally:
            done.set()

    run_at_once(rate, change)
    catch_up(nodes)
    assert len(read_frames(one)) == sum(outcomes) > 0


def test_a_swap_does_not_fill_what_another_node_has_reset(
    urls: list[str], nodes: list[Node]
) -> None:
    one, other = reopen(urls[0]), reopen(urls[1])
    one.ledger.commit(batch(list_scopes(one, "a"), periods=window(6)))
    task = queue_task(one)
    catch_up(nodes)
    delay(urls[0])
    one.scopes.reset(one.scopes.plan_reset("a", hour(0)))
    with pytest.raises(errors.Conflict):
        other.task_ledger.swap(task, repricer(task, 1), NOW)
    catch_up(nodes)
    assert read_frames(one) == []


def repeat(work: Callable[[], object]) -> list[errors.Conflict]:
    """Do it until no other node is in the way; return what was."""
    conflicts: list[errors.Conflict] = []
    while True:
        try:
            work()
        except errors.Conflict as conflict:
            conflicts.append(conflict)
        else:
            return conflicts


def test_a_purge_and_batches_of_another_node_leave_the_sums_of_their_day_right(
    urls: list[str], nodes: list[Node]
) -> None:
    purging, rating = reopen(urls[0]), reopen(urls[1])
    (state,) = list_scopes(purging, "a")
    for number in range(4):
        rate_hour(purging, state, number)
    catch_up(nodes)
    hours = 20
    conflicts: list[errors.Conflict] = []

    def rate() -> None:
        for number in range(4, hours):
            conflicts.extend(repeat(functools.partial(rate_hour, rating, state, number)))

    def purge() -> None:
        for number in range(1, hours):
            wait_until(functools.partial(is_rated_until, purging, hour(number)))
            purging.purge.start(hour(number), totals=True)
            conflicts.extend(repeat(lambda: list(purging.purge.remove(1))))

    run_at_once(rate, purge)
    catch_up(nodes)
    for url in urls:
        assert find_wrong_days(url) == []
    assert [frame[1] for frame in read_frames(purging)] == [hour(hours - 1)]
    assert conflicts


def is_rated_until(storage: Storage, instant: datetime.datetime) -> bool:
    """Return whether the only scope is rated until an instant, or further."""
    (scope,) = storage.reports.scopes(ALL_SCOPES)
    return scope.rated_until >= instant


def test_nothing_is_written_while_another_node_migrates(urls: list[str], nodes: list[Node]) -> None:
    storage = reopen(urls[1])
    states = list_scopes(storage, "a")
    catch_up(nodes)
    migrating = Database(urls[0], patient=True)
    delay(urls[0])
    with migrating.writing() as connection:
        migrate.move(connection, revisions.revisions()[-2])
        with pytest.raises((errors.Conflict, errors.SchemaChanged)):
            storage.ledger.commit(batch(states, build_series("a", [("1", "1")])))
    migrating.close()
    migrate.upgrade(urls[0])
    catch_up(nodes)
    assert read_frames(storage) == []


def test_a_node_outside_of_the_cluster_is_told_as_what_it_is(
    urls: list[str], nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    storage = reopen(urls[2])
    states = list_scopes(storage, "a")
    tries: list[Callable[[], object]] = [
        lambda: storage.ledger.commit(batch(states, build_series("a", [("1", "1")]))),
        lambda: storage.rules.read(),
        lambda: revisions.current(urls[2]),
    ]
    nodes[2].isolate(True)
    try:
        wait_until(lambda: is_refused(urls[2]))
        with caplog.at_level(logging.DEBUG):
            for work in tries:
                with pytest.raises(errors.TryLater, match=r"\(1047\)") as caught:
                    work()
                assert "\n" not in str(caught.value)
    finally:
        nodes[2].isolate(False)
    nodes[2].wait_until_ready()
    assert [record for record in caplog.records if record.exc_info] == []
    assert storage.ledger.commit(batch(states, build_series("a", [("1", "1")]))).frames == 1
