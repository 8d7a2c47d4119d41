"""Daily totals stay right where processors, purges, resets and tasks change the same days."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.storage import revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger.totals_check import Difference, TotalsCheck
from ratekit.storage.schema import DAILY_TOTALS
from tests.contract.conftest import Open
from tests.contract.given import START, batch, build_series, hour, run_at_once, window
from tests.contract.test_daily_totals import rate, read_days, reprocess
from tests.daily_totals import find_wrong_days

SCOPES = ("a", "b", "c")
#: Rated before, so that all that follows is on the first day and the second.
HOURS = 20
ROUNDS = 12


def attempt(work: Callable[[], object]) -> None:
    """Do what another may be faster at, or in the way of."""
    with contextlib.suppress(errors.Conflict, errors.TryLater):
        work()


def rate_on(open_another: Open, *scopes: str) -> None:
    """Rate the next hours of scopes, unless another processor does."""
    storage = open_another()
    listed = [Scope(id_, id_) for id_ in SCOPES]
    for _ in range(ROUNDS):
        for state in storage.ledger.observe(listed, hour(99), START, START).states:
            if state.scope.id in scopes:
                begin = state.rated_until
                series = build_series(state.scope.id, [("1", "0.1")], begin=begin)
                work = batch([state], series, periods=window(1, begin))
                attempt(functools.partial(storage.ledger.commit, work))


def purge_on(open_another: Open) -> None:
    """Purge hour by hour, a row a time; a scope may be rated until the hour that goes."""
    storage = open_another()
    for number in range(HOURS + ROUNDS):
        storage.purge.start(hour(number), totals=True)
        for _ in storage.purge.remove(1):
            pass


def reset_on(open_another: Open, scope: str) -> None:
    """Reset a scope by an hour or two, if the purge is not there yet."""
    storage = open_another()
    for number in range(ROUNDS):
        with contextlib.suppress(errors.OperatorError):
            plan = storage.scopes.plan_reset(scope, hour(HOURS - number % 3))
            attempt(functools.partial(storage.scopes.reset, plan))


def reprocess_on(open_another: Open, scope: str) -> None:
    """Reprocess two hours of a scope, again and again."""
    storage = open_another()
    pairs = [("3", "0.3"), ("0", "0")]
    for number in range(ROUNDS):
        with contextlib.suppress(errors.OperatorError):
            attempt(functools.partial(reprocess, storage, scope, HOURS - 2 - number % 3, pairs))


@contextlib.contextmanager
def watching(url: str) -> Iterator[None]:
    """Compare meanwhile, and require that nothing was ever wrong."""
    wrong: list[object] = []
    end = threading.Event()

    def watch() -> None:
        while not end.is_set():
            wrong.extend(find_wrong_days(url))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
    assert wrong == []


def rate_first(storage: Storage) -> None:
    """Rate all scopes until most of the first day is over."""
    rate(storage, SCOPES, [("1", "0.1")] * HOURS)


def test_processors_resets_and_tasks(storage: Storage, open_another: Open, url: str) -> None:
    rate_first(storage)
    with watching(url):
        run_at_once(
            functools.partial(rate_on, open_another, "a", "b"),
            functools.partial(rate_on, open_another, "b", "c"),
            functools.partial(reset_on, open_another, "b"),
            functools.partial(reprocess_on, open_another, "c"),
        )
    assert sum(day[3] for day in read_days(url)) > HOURS * len(SCOPES)


def test_processors_resets_and_a_purge_of_what_is_just_rated(
    storage: Storage, open_another: Open, url: str
) -> None:
    rate_first(storage)
    with watching(url):
        run_at_once(
            functools.partial(rate_on, open_another, "a", "b"),
            functools.partial(rate_on, open_another, "b", "c"),
            functools.partial(reset_on, open_another, "b"),
            functools.partial(purge_on, open_another),
        )
    assert {day[1] for day in read_days(url)} == {"2026-03-02"}


def test_rows_that_somebody_spoilt_are_repaired_beside_processors(
    storage: Storage, open_another: Open, url: str
) -> None:
    rate_first(storage)
    database = Database(url, needs=revisions.head())
    with database.writing() as connection:
        connection.execute(DAILY_TOTALS.update().values(points=7, price=Decimal("9e20")))
        begin = hour(-24)
        stray = DAILY_TOTALS.select().with_only_columns(
            DAILY_TOTALS.c.scope_id,
            sa.literal(begin, DAILY_TOTALS.c.begin.type),
            *DAILY_TOTALS.columns[2:],
        )
        names = DAILY_TOTALS.columns.keys()
        connection.execute(DAILY_TOTALS.insert().from_select(names, stray))
    check = TotalsCheck(database)
    assert [difference.day for difference in check.compare()] == [hour(-24), hour(0)] * len(SCOPES)
    repaired: list[Difference] = []
    run_at_once(
        functools.partial(rate_on, open_another, *SCOPES),
        lambda: repaired.extend(check.repair()),
    )
    assert len(repaired) >= 2 * len(SCOPES)
    assert list(check.compare()) == []
    assert find_wrong_days(url) == []
    database.close()
