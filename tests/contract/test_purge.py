"""Removing old frames and totals, beside others who rate and read, and after sudden death."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import signal
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.purge import PurgeCount, PurgeMark
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection, SummaryRow
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract.conftest import Open
from tests.contract.given import (
    HOUR,
    START,
    batch,
    build_series,
    hour,
    read_frames,
    reopen,
    statements,
    window,
)
from tests.daily_totals import find_wrong_days

HOURS = 10
SCOPES = ("a", "b", "c")
#: Frames of a scope and hour: one for each flavor, and a volume.
FLAVORS = ("large", "small", "tiny")
FRAMES_PER_HOUR = len(FLAVORS) + 1
NOTE = TaskNote("why", "ann@example", hour(20))
#: Forks from a process that has imported all this and has no threads.
FORKS = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def preload() -> None:
    """Have processes begin at once."""
    FORKS.set_forkserver_preload([__name__])


def rate(storage: Storage, *scopes: str, begin: int = 0, count: int = HOURS) -> None:
    """Rate consecutive hours, each with the same usage, of scopes that are rated until there."""
    pairs = [("1", "0.1")] * count
    series = [
        build_series(scope, pairs, begin=hour(begin), labels={"flavor": flavor})
        for scope in scopes
        for flavor in FLAVORS
    ]
    volumes = [
        build_series(scope, pairs, begin=hour(begin), metric="volume", unit="GiB")
        for scope in scopes
    ]
    observation = storage.ledger.observe(
        [Scope(id_, id_) for id_ in SCOPES], hour(begin + count), START, START
    )
    wanted = [state for state in observation.states if state.scope.id in scopes]
    storage.ledger.commit(batch(wanted, *series, *volumes, periods=window(count, hour(begin))))


def purge(storage: Storage, before: int, *, totals: bool = True, limit: int = 5) -> PurgeCount:
    """Purge; return what the transactions removed together."""
    storage.purge.start(hour(before), totals)
    counts = list(storage.purge.remove(limit))
    assert all(0 < count.frames + count.totals <= limit for count in counts)
    return PurgeCount(sum(count.frames for count in counts), sum(count.totals for count in counts))


def sums(storage: Storage, begin: int = 0, end: int | None = None) -> list[SummaryRow]:
    """Return the totals by scope, metric and hour."""
    selection = Selection(hour(begin), None if end is None else hour(end), scopes=ALL_SCOPES)
    return list(storage.reports.summary(selection, ("scope", "metric", "hour"), datetime.UTC))


@pytest.mark.parametrize("limit", [1, 3, 5, 1000])
def test_everything_before_the_time_goes_and_nothing_else(storage: Storage, limit: int) -> None:
    rate(storage, *SCOPES)
    frames = [frame for frame in read_frames(storage) if frame[1] >= hour(4)]
    totals = sums(storage, 4)
    states = storage.reports.scopes(ALL_SCOPES)
    expected = PurgeCount(4 * FRAMES_PER_HOUR * len(SCOPES), 4 * 2 * len(SCOPES))
    assert storage.purge.count(hour(4), totals=True) == expected
    assert purge(storage, 4, limit=limit) == expected
    assert read_frames(storage) == frames
    assert sums(storage) == totals
    assert storage.reports.scopes(ALL_SCOPES) == states
    assert storage.purge.mark() == PurgeMark(hour(4), hour(4))


def test_a_period_may_have_more_frames_than_a_transaction_removes(storage: Storage) -> None:
    rate(storage, "a")
    storage.purge.start(hour(1), totals=False)
    assert [count.frames for count in storage.purge.remove(3)] == [3, 1]


def test_a_transaction_is_short_even_if_each_scope_has_few_rows(storage: Storage) -> None:
    ids = [f"scope-{number:03}" for number in range(250)]
    observation = storage.ledger.observe([Scope(id_, id_) for id_ in ids], hour(1), START, START)
    work = [build_series(id_, [("1", "0.1")]) for id_ in ids]
    storage.ledger.commit(batch(observation.states, *work))
    storage.purge.start(hour(1), totals=True)
    counts = list(storage.purge.remove(5_000))
    assert [count.frames for count in counts if count.frames] == [100, 100, 50]
    assert [count.totals for count in counts if count.totals] == [100, 100, 50]
    assert read_frames(storage) == []


def test_totals_that_are_kept_make_the_same_summaries(storage: Storage) -> None:
    rate(storage, *SCOPES)
    totals = sums(storage)
    assert purge(storage, 4, totals=False).totals == 0
    assert sums(storage) == totals
    assert {frame[1] for frame in read_frames(storage)} == {hour(n) for n in range(4, HOURS)}
    assert storage.purge.mark() == PurgeMark(hour(4), None)
    # They may go later.
    assert purge(storage, 3).totals == 3 * 2 * len(SCOPES)
    assert storage.purge.mark() == PurgeMark(hour(4), hour(3))
    assert sums(storage) == sums(storage, 3)


def test_counting_writes_nothing(storage: Storage) -> None:
    rate(storage, *SCOPES)
    frames = read_frames(storage)
    with statements() as sent:
        storage.purge.count(hour(4), totals=True)
    assert not [text for text in sent if text.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert read_frames(storage) == frames
    assert storage.purge.mark() == PurgeMark()


def test_a_purge_that_is_repeated_removes_nothing_more(storage: Storage) -> None:
    rate(storage, *SCOPES)
    purge(storage, 4)
    assert purge(storage, 4) == PurgeCount()
    assert purge(storage, 2) == PurgeCount()
    assert storage.purge.mark() == PurgeMark(hour(4), hour(4))


def test_descriptors_stay_because_daemons_remember_their_ids(storage: Storage) -> None:
    rate(storage, *SCOPES)
    purge(storage, HOURS)
    assert read_frames(storage) == []
    # The same ledger, which writes no descriptor again.
    rate(storage, *SCOPES, begin=HOURS, count=2)
    assert len(read_frames(storage)) == 2 * FRAMES_PER_HOUR * len(SCOPES)
    assert set(storage.reports.labels()["instance"]) == {"flavor", "project_id"}


def test_a_scope_that_is_not_rated_until_then_is_left_out_until_it_is(storage: Storage) -> None:
    rate(storage, "a", "b")
    rate(storage, "c", count=3)
    assert storage.purge.count(hour(4), totals=True).scopes_behind == 1
    assert storage.purge.scopes_behind(hour(4)) == 1
    purge(storage, 4)
    assert {frame[0] for frame in read_frames(storage) if frame[1] < hour(4)} == {"c"}
    rate(storage, "c", begin=3, count=3)
    assert purge(storage, 4).frames == 4 * FRAMES_PER_HOUR
    assert [frame for frame in read_frames(storage) if frame[1] < hour(4)] == []


def test_a_scope_that_is_no_longer_rated_is_purged(storage: Storage) -> None:
    rate(storage, *SCOPES, count=3)
    storage.scopes.deactivate("c", hour(3))
    rate(storage, "a", "b", begin=3)
    purge(storage, 4)
    assert [frame for frame in read_frames(storage) if frame[1] < hour(4)] == []


def test_no_scope_is_reset_to_a_time_before_the_mark(storage: Storage) -> None:
    rate(storage, *SCOPES)
    plan = storage.scopes.plan_reset("a", hour(3))
    later = storage.scopes.plan_reset("a", hour(4))
    storage.purge.start(hour(4), totals=False)
    with pytest.raises(errors.OperatorError, match="were purged"):
        storage.scopes.plan_reset("a", hour(3))
    with pytest.raises(errors.OperatorError, match="were purged"):
        storage.scopes.reset(plan)
    assert len(read_frames(storage)) == HOURS * FRAMES_PER_HOUR * len(SCOPES)
    storage.scopes.reset(later)
    assert {row.rated_until for row in storage.reports.scopes(ALL_SCOPES)} == {hour(4), hour(HOURS)}


def test_nothing_before_the_mark_is_reprocessed(storage: Storage) -> None:
    rate(storage, *SCOPES)
    storage.purge.start(hour(4), totals=True)
    early, late = (
        Order(Scope("a"), hour(begin), hour(6), HOUR, TaskKind.RATES) for begin in (3, 4)
    )
    with pytest.raises(errors.OperatorError, match="were purged"):
        storage.tasks.add([early], NOTE)
    assert storage.tasks.tasks() == []
    assert len(storage.tasks.add([late], NOTE)) == 1


def test_resets_and_new_tasks_lock_the_mark_before_any_scope(storage: Storage) -> None:
    """Otherwise a purge could start between their look at it and their commit."""
    rate(storage, *SCOPES)
    plan = storage.scopes.plan_reset("a", hour(3))
    order = Order(Scope("b"), hour(3), hour(6), HOUR, TaskKind.RATES)
    for change in (
        lambda: storage.scopes.reset(plan),
        lambda: storage.tasks.add([order], NOTE),
    ):
        with statements() as sent:
            change()
        locks = [text for text in sent if text.startswith("UPDATE") or "FOR " in text]
        places = [number for number, text in enumerate(locks) if "purge_mark" in text]
        scopes = [number for number, text in enumerate(locks) if " scopes" in text]
        assert places
        assert not scopes or places[0] < scopes[0]


def test_what_an_open_task_needs_stays(storage: Storage) -> None:
    rate(storage, *SCOPES)
    (task,) = storage.tasks.add([Order(Scope("a"), hour(3), hour(6), HOUR, TaskKind.RATES)], NOTE)
    for refused in (storage.purge.count, storage.purge.start):
        with pytest.raises(errors.OperatorError, match=rf"reprocess cancel {task}\Z"):
            refused(hour(4), True)
    assert storage.purge.mark() == PurgeMark()
    purge(storage, 3)
    storage.tasks.cancel(task, hour(20))
    purge(storage, 4)
    assert {frame[1] for frame in read_frames(storage)} == {hour(n) for n in range(4, HOURS)}


def test_others_rate_and_read_meanwhile(storage: Storage, open_another: Open) -> None:
    rate(storage, *SCOPES)
    kept = sums(storage, 6, HOURS)
    purged = threading.Event()
    wrong: list[object] = []
    rated = 0

    def read() -> None:
        other = open_another()
        reads = 0
        while not purged.is_set() or reads == 0:
            reads += 1
            if sums(other, 6, HOURS) != kept:
                wrong.append("other totals")

    def go_on_rating() -> None:
        nonlocal rated
        other = open_another()
        while not purged.is_set() or rated == 0:
            rate(other, *SCOPES, begin=HOURS + rated, count=1)
            rated += 1

    threads = [threading.Thread(target=work) for work in (read, go_on_rating)]
    for thread in threads:
        thread.start()
    try:
        purge(storage, 6, limit=2)
    finally:
        purged.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert sums(storage, 0, HOURS) == kept
    frames = read_frames(storage)
    assert len(frames) == (HOURS - 6 + rated) * FRAMES_PER_HOUR * len(SCOPES)
    assert {frame[3] for frame in frames} == {Decimal("0.1")}


def purge_and_die(url: str, transaction: int) -> None:
    """Purge, and die before the COMMIT of a transaction.

    :param transaction: its number; 0: the one that stores the mark
    """
    storage = reopen(url)
    commits = 0

    def die(_connection: sa.Connection) -> None:
        nonlocal commits
        if commits == transaction:
            os.kill(os.getpid(), signal.SIGKILL)
        commits += 1

    sa.event.listen(sa.Engine, "commit", die)
    storage.purge.start(hour(4), totals=True)
    for _ in storage.purge.remove(7):
        pass


@pytest.mark.parametrize("transaction", [0, 1, 3, 9])
def test_what_a_killed_purge_has_left_the_next_one_removes(
    url: str, storage: Storage, transaction: int
) -> None:
    rate(storage, *SCOPES)
    kept = sums(storage, 4)
    frames = [frame for frame in read_frames(storage) if frame[1] >= hour(4)]
    process = FORKS.Process(target=purge_and_die, args=(url, transaction))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert find_wrong_days(url) == []
    assert sums(storage, 4) == kept
    old = 4 * FRAMES_PER_HOUR * len(SCOPES)
    left = len(read_frames(storage)) - len(frames)
    assert left == max(0, old - 7 * max(0, transaction - 1))
    has_mark = transaction > 0
    assert storage.purge.mark() == (PurgeMark(hour(4), hour(4)) if has_mark else PurgeMark())
    assert purge(storage, 4 if not has_mark else 1).frames == left
    assert sums(storage) == kept
    assert read_frames(storage) == frames
    assert find_wrong_days(url) == []
