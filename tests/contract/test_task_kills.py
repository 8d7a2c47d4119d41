"""Sudden death of who carries out a task, at any moment, beside others who read and work."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import multiprocessing
import random
import signal
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.reprocessing.task import TaskKind, TaskState
from ratekit.interfaces import Storage
from tests.contract.conftest import Open
from tests.contract.given import hour, read_frames
from tests.daily_totals import find_wrong_days
from tests.reprocessing_bench import ReprocessingBench

HOURS = 30
SCOPES = ("a", "b")
#: Forks from a process that has imported all this and has no threads.
FORKS = multiprocessing.get_context("forkserver")
#: Times that a process is killed before one may come to the end.
KILLS = 4


@pytest.fixture(autouse=True)
def preload() -> None:
    """Have processes begin at once."""
    FORKS.set_forkserver_preload([__name__])


def small_batches(url: str) -> ReprocessingBench:
    """Return an bench that needs many batches."""
    bench = ReprocessingBench(url)
    bench.settings = dataclasses.replace(bench.settings, batch_frames=8)
    bench.reprocessor = bench.another()
    return bench


def finish(url: str, moment: float = 0.0) -> None:
    """Carry out all that is open, as a process of its own.

    :param moment: seconds after which the kernel kills it, by this process's own clock: whoever
        would do it from outside may come too late; 0: never
    """
    bench = small_batches(url)
    signal.setitimer(signal.ITIMER_REAL, moment)
    bench.reprocessor.finish()


def predict_frames(
    bench: ReprocessingBench, storage: Storage
) -> list[tuple[str, datetime.datetime, Decimal]]:
    """Return scope, begin and price of all frames after tasks of all hours but two."""
    return [
        (scope, begin, Decimal(5) if hour(1) <= begin < hour(HOURS - 1) else Decimal(1))
        for scope, begin, _, _ in read_frames(storage)
    ]


@pytest.mark.parametrize("kind", TaskKind)
def test_tasks_that_are_killed_again_and_again_end_where_they_should(
    kind: TaskKind, url: str, storage: Storage, open_another: Open
) -> None:
    bench = small_batches(url)
    bench.rate(*SCOPES, count=HOURS)
    ids = bench.queue(*SCOPES, begin=1, end=HOURS - 1, kind=kind)
    expected = predict_frames(bench, storage)
    moments = random.Random(kind.value)
    killed, code = 0, None
    with reading(open_another, len(expected)) as wrong:
        while code != 0:
            # The first never comes to the end.
            latest = 0.2 if killed else 0.05
            moment = moments.uniform(0.001, latest) if killed < KILLS else 0.0
            process = FORKS.Process(target=finish, args=(url, moment))
            process.start()
            process.join(120)
            code = process.exitcode
            killed += code != 0
            assert code in (0, -signal.SIGALRM)
            assert find_wrong_days(url) == []
    assert killed >= 1
    assert wrong == []
    assert [
        (scope_id, begin, price) for scope_id, begin, _, price in read_frames(storage)
    ] == expected
    for id_ in ids:
        records = storage.tasks.periods(id_)
        assert [record.begin for record in records] == [
            hour(number) for number in range(1, HOURS - 1)
        ]
    assert {task.state for task, _ in storage.tasks.tasks(ended=True)} == {TaskState.DONE}


def test_processors_side_by_side_swap_each_period_once(
    url: str, storage: Storage, open_another: Open
) -> None:
    bench = small_batches(url)
    bench.rate(*SCOPES, count=HOURS)
    bench.queue(*SCOPES, begin=1, end=HOURS - 1)
    expected = predict_frames(bench, storage)
    with reading(open_another, len(expected)) as wrong:
        processes = [FORKS.Process(target=finish, args=(url,)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert wrong == []
    assert [
        (scope_id, begin, price) for scope_id, begin, _, price in read_frames(storage)
    ] == expected
    # No period was swapped on top of another swap: each was the old one before.
    assert {
        (record.old.price, record.new.price)
        for task, _ in storage.tasks.tasks(ended=True)
        for record in storage.tasks.periods(task.id)
    } == {(Decimal(4), Decimal(20))}


@contextlib.contextmanager
def reading(open_another: Open, frames: int) -> Iterator[list[str]]:
    """Read all the time; collect what is a hole, a double, or half a period."""
    wrong: list[str] = []
    all_done = threading.Event()

    def read(look: Callable[[Storage], str | None]) -> None:
        storage = open_another()
        while True:
            word = look(storage)
            if word is not None:
                wrong.append(word)
            if all_done.is_set():
                return

    def look_at_frames(storage: Storage) -> str | None:
        periods: dict[tuple[str, datetime.datetime], list[Decimal]] = {}
        for frame in storage.reports.frames(Selection(scopes=ALL_SCOPES)):
            periods.setdefault((frame.scope, frame.begin), []).append(frame.price)
        broken = [key for key, prices in periods.items() if len(prices) != 4 or len({*prices}) > 1]
        whole = len(periods) * 4 == frames
        return None if whole and not broken else f"{len(periods)} periods, broken: {broken}"

    def look_at_totals(storage: Storage) -> str | None:
        rows = list(
            storage.reports.summary(Selection(scopes=ALL_SCOPES), ("scope", "hour"), datetime.UTC)
        )
        whole = (4, Decimal(4)), (4, Decimal(20))
        broken = [row for row in rows if (row.points, row.price) not in whole]
        complete = len(rows) * 4 == frames
        return None if complete and not broken else f"{len(rows)} totals, broken: {broken}"

    threads = [
        threading.Thread(target=read, args=(look,)) for look in (look_at_frames, look_at_totals)
    ]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        all_done.set()
        for thread in threads:
            thread.join(60)
