"""Daily totals are the exact sums of the totals, whoever writes these, in every committed state."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.storage import revisions
from ratekit.storage.db.engine import parse
from ratekit.storage.ledger.ledger import SqlLedger
from ratekit.storage.ledger.scopes import ScopeOrigin
from ratekit.storage.schema import DAILY_TOTALS, TOTALS
from tests.contract.given import (
    HOUR,
    START,
    Pair,
    batch,
    build_breaking_series,
    build_series,
    hour,
    list_scopes,
    window,
)
from tests.daily_totals import find_wrong_days
from tests.database_without_reply import DatabaseWithoutReply

NOTE = TaskNote("why", "ann@example", hour(99))

#: Scope, day, metric, points, quantity, price.
Row = tuple[str, str, str, int, Decimal, Decimal]


def read_days(url: str) -> list[Row]:
    """Return all daily totals; require that they are the sums of the totals."""
    assert find_wrong_days(url) == []
    query = sa.text(
        "SELECT s.scope_id, d.begin, d.metric, d.points, d.quantity, d.price"
        " FROM daily_totals d JOIN scopes s ON s.id = d.scope_id"
        " ORDER BY s.scope_id, d.begin, d.metric, d.unit"
    )
    engine = sa.create_engine(parse(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    engine.dispose()
    return [
        (scope, str(begin)[:10], metric, points, Decimal(quantity), Decimal(price))
        for scope, begin, metric, points, quantity, price in rows
    ]


def rate(
    storage: Storage,
    scopes: Sequence[str],
    pairs: Sequence[Pair],
    begin: float = 0,
    metric: str = "instance",
) -> Sequence[Scope]:
    """Rate hours of scopes, each with the same usage; return those that another was faster at."""
    states = [
        dataclasses.replace(state, rated_until=hour(begin))
        for state in list_scopes(storage, *scopes)
    ]
    series = [
        build_series(scope, pairs, begin=hour(begin), metric=metric, unit=metric)
        for scope in scopes
    ]
    periods = window(len(pairs), hour(begin))
    return storage.ledger.commit(batch(states, *series, periods=periods)).lost_scopes


def row(scope: str, day: str, points: int, quantity: str, price: str) -> Row:
    """Return a daily total of the metric instance."""
    return scope, f"2026-03-{day}", "instance", points, Decimal(quantity), Decimal(price)


def test_batches_add_to_the_day_on_which_their_periods_begin(storage: Storage, url: str) -> None:
    rate(storage, ["a", "b"], [("1", "0.1")] * 23)
    assert read_days(url) == [row(scope, "01", 23, "23", "2.3") for scope in ("a", "b")]
    rate(storage, ["a"], [("1", "0.1")] * 2, begin=23)
    assert read_days(url) == [
        row("a", "01", 24, "24", "2.4"),
        row("a", "02", 1, "1", "0.1"),
        row("b", "01", 23, "23", "2.3"),
    ]


def test_a_period_across_midnight_belongs_to_the_day_of_its_begin(
    storage: Storage, url: str
) -> None:
    week = datetime.timedelta(days=7)
    begin = datetime.datetime(2026, 2, 26, tzinfo=datetime.UTC)
    state = list_scopes(storage, "a", start=begin)[0]
    series = build_series("a", [("1", "0.1")], begin=begin)
    storage.ledger.commit(batch([state], series, periods=Window(begin, week, 1)))
    assert read_days(url) == [("a", "2026-02-26", "instance", 1, Decimal(1), Decimal("0.1"))]


def test_metrics_and_units_have_daily_totals_of_their_own(storage: Storage, url: str) -> None:
    states = list_scopes(storage, "a")
    names = [("cpu", "core"), ("cpu", "Core"), ("cpu ", "core"), ("°C", "🦊")]
    series = [build_series("a", [("1", "2")], metric=metric, unit=unit) for metric, unit in names]
    storage.ledger.commit(batch(states, *series, metrics=("cpu",)))
    rate(storage, ["a"], [("1", "2")], begin=1, metric="cpu")
    assert len(read_days(url)) == 5


@pytest.mark.parametrize(
    ("addends", "expected"),
    [
        (["0.000000000000000001", "1" * 47], "1" * 47 + ".000000000000000001"),
        (["0.1", "0.2", "-0.3"], "0"),
        (["-0", "-0"], "0"),
        (["1E-18", "1E-18"], "0.000000000000000002"),
        (["-" + "9" * 46, "9" * 46, "7"], "7"),
        (["1E+30", "1"], "1" + "0" * 29 + "1"),
    ],
)
def test_sums_are_exact(storage: Storage, url: str, addends: list[str], expected: str) -> None:
    for number, addend in enumerate(addends):
        rate(storage, ["a"], [(addend, "1E-28")], begin=number)
    # Also in one batch.
    rate(storage, ["b"], [(addend, "1E-28") for addend in addends])
    count = len(addends)
    assert read_days(url) == [
        row(scope, "01", count, expected, f"{count}E-28") for scope in ("a", "b")
    ]


@pytest.mark.parametrize("pairs", [("9" * 47, "1"), ("1", "9" * 37)])
def test_a_sum_that_does_not_fit_is_refused_whole(storage: Storage, url: str, pairs: Pair) -> None:
    rate(storage, ["a"], [pairs])
    days = read_days(url)
    states = storage.reports.scopes(ALL_SCOPES)
    # By the database; and by ratekit, before it asks the database.
    for more in ([pairs], [("0", "0"), pairs, pairs]):
        with pytest.raises(errors.OperatorError, match="cannot be stored") as caught:
            rate(storage, ["a"], more, begin=1)
        assert "\n" not in str(caught.value)
    assert read_days(url) == days
    assert storage.reports.scopes(ALL_SCOPES) == states


def test_a_sum_of_a_task_that_does_not_fit_is_refused_whole(storage: Storage, url: str) -> None:
    rate(storage, ["a"], [("1", "9" * 37), ("1", "0")])
    days = read_days(url)
    with pytest.raises(errors.OperatorError, match="cannot be stored"):
        reprocess(storage, "a", 1, [("1", "1")])
    assert read_days(url) == days


def test_scopes_that_another_processor_advanced_add_nothing(storage: Storage, url: str) -> None:
    rate(storage, ["a", "b"], [("1", "0.1")])
    states = [
        dataclasses.replace(state, rated_until=START) for state in list_scopes(storage, "a", "c")
    ]
    series = [build_series(scope, [("5", "0.5")]) for scope in ("a", "c")]
    assert storage.ledger.commit(batch(states, *series)).lost_scopes == (states[0].scope,)
    assert read_days(url) == [
        row("a", "01", 1, "1", "0.1"),
        row("b", "01", 1, "1", "0.1"),
        row("c", "01", 1, "5", "0.5"),
    ]


def test_a_batch_that_fails_in_the_middle_adds_nothing(storage: Storage, url: str) -> None:
    rate(storage, ["a"], [("1", "0.1")])
    days = read_days(url)
    states = list_scopes(storage, "a")
    broken = build_breaking_series(build_series("a", [("1", "0.1")], begin=hour(1)))
    with pytest.raises(InterruptedError):
        storage.ledger.commit(batch(states, broken, periods=window(1, hour(1))))
    assert read_days(url) == days


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_batch_that_is_repeated_after_a_lost_reply_is_added_once(
    storage: Storage, url: str, is_committed: bool
) -> None:
    rate(storage, ["a"], [("1", "0.1")])
    database = DatabaseWithoutReply(url, needs=revisions.head())
    database.is_committed = is_committed
    ledger = SqlLedger(database, ScopeOrigin("project_id", "keystone", "gnocchi"))
    states = list_scopes(storage, "a")
    work = batch(
        states, build_series("a", [("2", "0.2")], begin=hour(1)), periods=window(1, hour(1))
    )
    database.arm()
    if is_committed:
        ledger.commit(work)
        assert storage.ledger.commit(work).lost_scopes
    else:
        with pytest.raises(errors.TryLater):
            ledger.commit(work)
        assert read_days(url) == [row("a", "01", 1, "1", "0.1")]
        assert not storage.ledger.commit(work).lost_scopes
    database.close()
    assert read_days(url) == [row("a", "01", 2, "3", "0.3")]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (25, [row("a", "01", 24, "24", "2.4"), row("a", "02", 1, "1", "0.1")]),
        (24, [row("a", "01", 24, "24", "2.4")]),
        (23, [row("a", "01", 23, "23", "2.3")]),
        (0, []),
        (-5, []),
    ],
)
def test_a_reset_leaves_the_rest_of_its_day(
    storage: Storage, url: str, since: int, expected: list[Row]
) -> None:
    rate(storage, ["a", "b"], [("1", "0.1")] * 50)
    storage.scopes.reset(storage.scopes.plan_reset("a", hour(since)))
    assert [day for day in read_days(url) if day[0] == "a"] == expected
    assert sum(day[3] for day in read_days(url) if day[0] == "b") == 50


def test_a_metric_whose_last_total_of_a_day_goes_has_no_row(storage: Storage, url: str) -> None:
    rate(storage, ["a"], [("1", "0.1")] * 3)
    rate(storage, ["a"], [("1", "0.1")] * 3, begin=3, metric="volume")
    storage.scopes.reset(storage.scopes.plan_reset("a", hour(3)))
    assert read_days(url) == [row("a", "01", 3, "3", "0.3")]


def test_usage_that_adds_up_to_nothing_keeps_its_row(storage: Storage, url: str) -> None:
    rate(storage, ["a"], [("0", "-0.5")])
    rate(storage, ["a"], [("0", "0.5")], begin=1)
    assert read_days(url) == [row("a", "01", 2, "0", "0")]


def reprocess(
    storage: Storage,
    scope: str,
    begin: int,
    pairs: Sequence[Pair | None],
    step: datetime.timedelta = HOUR,
) -> None:
    """Replace hours of a scope; None: the hour is kept."""
    end = hour(begin) + len(pairs) * step
    order = Order(Scope(scope), hour(begin), end, step, TaskKind.COLLECT)
    (id_,) = storage.tasks.add([order], NOTE)
    task = storage.task_ledger.read(id_)
    assert task is not None
    begins = [hour(begin) + number * step for number in range(len(pairs))]
    repriced = RepricedWindow(
        Window(hour(begin), step, len(pairs)),
        {begin: "no data" for begin, pair in zip(begins, pairs, strict=True) if pair is None},
        [
            build_series(scope, [pair], begin=begin)
            for begin, pair in zip(begins, pairs, strict=True)
            if pair is not None and pair[0] != "0"
        ],
        0,
        ("instance",),
    )
    try:
        storage.task_ledger.swap(task, repriced, hour(100))
    except errors.OperatorError:
        storage.tasks.cancel(id_, hour(100))
        raise


def test_a_task_replaces_what_its_periods_added(storage: Storage, url: str) -> None:
    rate(storage, ["a", "b"], [("1", "0.1")] * 48)
    reprocess(storage, "a", 22, [("5", "0.5"), None, ("5", "0.5"), ("0", "0")])
    assert read_days(url) == [
        row("a", "01", 24, "28", "2.8"),
        row("a", "02", 23, "27", "2.7"),
        row("b", "01", 24, "24", "2.4"),
        row("b", "02", 24, "24", "2.4"),
    ]
    # A whole day without usage.
    reprocess(storage, "a", 24, [("0", "0")] * 24)
    assert [day for day in read_days(url) if day[0] == "a"] == [row("a", "01", 24, "28", "2.8")]
    reprocess(storage, "a", 0, [None] * 24)
    # Longer periods than those that were rated.
    reprocess(storage, "b", 0, [("7", "0.7")], step=24 * HOUR)
    assert read_days(url) == [
        row("a", "01", 24, "28", "2.8"),
        row("b", "01", 1, "7", "0.7"),
        row("b", "02", 24, "24", "2.4"),
    ]


@pytest.mark.parametrize("limit", [1, 5, 1000])
@pytest.mark.parametrize("before", [24, 30, 48])
def test_a_purge_is_right_after_each_of_its_transactions(
    storage: Storage, url: str, before: int, limit: int
) -> None:
    for metric in ("instance", "volume"):
        rate(storage, ["a", "b"], [("1", "0.1")] * 25, begin=0 if metric == "instance" else 25)
    storage.purge.start(hour(before), totals=True)
    removed = 0
    for count in storage.purge.remove(limit):
        removed += count.totals
        if count.totals:
            assert sum(day[3] for day in read_days(url)) == 100 - removed
    assert removed == 2 * before


def test_a_purge_of_frames_leaves_all_daily_totals(storage: Storage, url: str) -> None:
    rate(storage, ["a"], [("1", "0.1")] * 30)
    days = read_days(url)
    storage.purge.start(hour(30), totals=False)
    assert sum(count.frames for count in storage.purge.remove(7)) == 30
    assert read_days(url) == days


def test_the_tables_have_the_same_columns() -> None:
    """Otherwise a sum would not fit, or a key not match."""
    assert [repr(column.type) for column in DAILY_TOTALS.columns] == [
        repr(column.type) for column in TOTALS.columns
    ]
