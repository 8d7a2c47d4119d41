"""[storage] retention, on a real SQLite file."""

from __future__ import annotations

import datetime
import pathlib

import pytest

from ratekit.daemon import retention
from ratekit.domain.purge import PurgeMark
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.contract.given import (
    HOUR,
    START,
    batch,
    build_series,
    hour,
    list_scopes,
    read_frames,
    reopen,
    window,
)

DAYS = 70
COUNT = DAYS * 24
#: Frames older than 62 days, up to a midnight.
OLD = 8 * 24


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> Storage:
    """Seventy days of one scope, with a frame an hour."""
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    storage = reopen(url)
    states = list_scopes(storage, "a", now=hour(COUNT))
    series = build_series("a", [("1", "0.1")] * COUNT)
    storage.ledger.commit(batch(states, series, periods=window(COUNT)))
    return storage


def build(
    storage: Storage, now: datetime.datetime, days: int | None = 62, totals: bool = True
) -> retention.FrameRetention:
    """Return what removes frames at an instant."""
    time = None if days is None else datetime.timedelta(days=days)
    return retention.FrameRetention(storage, time, totals, lambda: now)


def test_a_few_frames_go_at_a_time(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 50)
    remover = build(storage, hour(COUNT))
    left = []
    while remover.advance():
        left.append(COUNT - len(read_frames(storage)))
    # It starts with the mark, in a transaction of its own.
    assert left[:5] == [0, 50, 100, 150, OLD]
    assert min(frame[1] for frame in read_frames(storage)) == START + OLD * HOUR
    assert storage.purge.mark() == PurgeMark(START + OLD * HOUR, START + OLD * HOUR)
    # It waits for an hour.
    assert not remover.advance()


def test_a_clock_that_is_ahead_removes_nothing_more(storage: Storage) -> None:
    remover = build(storage, hour(COUNT) + datetime.timedelta(days=3650))
    while remover.advance():
        pass
    assert len(read_frames(storage)) == COUNT - OLD


def test_it_is_off_by_default_and_without_frames(storage: Storage, tmp_path: pathlib.Path) -> None:
    assert not build(storage, hour(COUNT), days=None).advance()
    assert storage.purge.mark() == PurgeMark()
    url = f"sqlite:///{tmp_path}/empty.sqlite"
    migrate.upgrade(url)
    assert not build(reopen(url), hour(COUNT)).advance()


def test_totals_may_be_kept(storage: Storage) -> None:
    remover = build(storage, hour(COUNT), totals=False)
    while remover.advance():
        pass
    assert storage.purge.mark() == PurgeMark(START + OLD * HOUR, None)


def test_it_waits_for_an_open_task(storage: Storage) -> None:
    order = Order(Scope("a"), hour(1), hour(2), HOUR, TaskKind.RATES)
    storage.tasks.add([order], TaskNote("why", "ann@example", hour(COUNT)))
    assert not build(storage, hour(COUNT)).advance()
    assert len(read_frames(storage)) == COUNT
