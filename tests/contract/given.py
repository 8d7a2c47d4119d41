"""Builds scopes, series and batches, and reads what a storage contains."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import datetime
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.reports import ALL_SCOPES, Page, Selection
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.interfaces import RatedBatch, Reports, Storage
from ratekit.storage.sql import open_storage

HOUR = datetime.timedelta(hours=1)
#: Where all scopes start.
START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)

Pair = tuple[str, str]


def hour(number: float) -> datetime.datetime:
    """Return the instant so many hours after :data:`START`."""
    return START + number * HOUR


def window(count: int = 1, begin: datetime.datetime = START) -> Window:
    """Return consecutive hours."""
    return Window(begin, HOUR, count)


def reopen(url: str) -> Storage:
    """Open the storage as another process would."""
    return open_storage(url, scope_key="project_id", fetcher="keystone", collector="gnocchi")


def list_scopes(
    storage: Storage,
    *ids: str,
    now: datetime.datetime = START,
    start: datetime.datetime = START,
    resume: datetime.datetime = START,
) -> list[State]:
    """Record a list of the fetcher; return the states of its scopes, in the same order."""
    observation = storage.ledger.observe(
        [Scope(id_, f"name of {id_}") for id_ in ids], now, start, resume
    )
    states = {state.scope.id: state for state in observation.states}
    return [states[id_] for id_ in ids]


def note(now: datetime.datetime = START) -> ChangeNote:
    """Return the note of a change of the rules."""
    return ChangeNote(now, "ann@example")


def build_series(
    scope: str,
    pairs: Sequence[Pair],
    *,
    metric: str = "instance",
    unit: str = "instance",
    begin: datetime.datetime = START,
    labels: Mapping[str, str | None] | None = None,
    metadata: Mapping[str, str | None] | None = None,
    shared: Mapping[int, Pair] | None = None,
) -> RatedSeries:
    """Return a series of hours from ``begin`` on, given as (quantity, price) pairs.

    :param shared: number of an hour -> (whole, share)
    """
    return RatedSeries(
        Series(
            scope=scope,
            metric=metric,
            unit=unit,
            groupby={"project_id": scope, **(labels or {})},
            metadata=metadata or {},
            points=[
                (begin + number * HOUR, Decimal(quantity))
                for number, (quantity, _) in enumerate(pairs)
            ],
            shared={
                begin + number * HOUR: Shared(Decimal(whole), Decimal(share))
                for number, (whole, share) in (shared or {}).items()
            },
        ),
        [Decimal(price) for _, price in pairs],
    )


class Breaking(list[tuple[datetime.datetime, Decimal]]):
    """Points that raise when they are read for the second time: inside the transaction."""

    def __init__(self, series: Series) -> None:
        super().__init__(series.points)
        self.series = series
        self._read = False

    def __iter__(self) -> Iterator[tuple[datetime.datetime, Decimal]]:
        if self._read:
            self.interrupt()
        self._read = True
        return super().__iter__()

    def interrupt(self) -> None:
        """Raise an error that no storage expects."""
        raise InterruptedError("in the middle")


class Killing(Breaking):
    """Points that kill the process, as the kernel does when memory is exhausted."""

    def interrupt(self) -> None:
        """Kill this process at once."""
        os.kill(os.getpid(), signal.SIGKILL)


def build_breaking_series(
    rated_series: RatedSeries, points: type[Breaking] = Breaking
) -> RatedSeries:
    """Return a series that cannot be written completely."""
    return RatedSeries(
        dataclasses.replace(rated_series.series, points=points(rated_series.series)),
        rated_series.prices,
    )


def batch(
    states: Sequence[State],
    *series: RatedSeries,
    periods: Window | None = None,
    rules: int = 0,
    metrics: tuple[str, ...] = ("instance",),
    exclusions: Sequence[Exclusion] = (),
) -> RatedBatch:
    """Return a batch of one hour, or of ``periods``."""
    return RatedBatch(periods or window(), states, series, rules, metrics, exclusions)


def read_frames(storage: Storage) -> list[tuple[str, datetime.datetime, Decimal, Decimal]]:
    """Return scope, begin, quantity and price of all frames."""
    return [
        (frame.scope, frame.begin, frame.quantity, frame.price)
        for frame in storage.reports.frames(Selection(scopes=ALL_SCOPES))
    ]


def read_shared(storage: Storage) -> list[Shared | None]:
    """Return what the quantity of each frame is a share of."""
    return [frame.shared for frame in storage.reports.frames(Selection(scopes=ALL_SCOPES))]


def total(storage: Storage, *scopes: str) -> tuple[int, Decimal]:
    """Return number and price of all frames of these scopes, by the totals.

    :param scopes: none: all
    """
    selection = Selection(scopes=frozenset(scopes) if scopes else ALL_SCOPES)
    rows = list(storage.reports.summary(selection, (), datetime.UTC))
    return (rows[0].points, rows[0].price) if rows else (0, Decimal(0))


def count_groups(
    reports: Reports, selection: Selection, groupby: Sequence[str], zone: datetime.tzinfo
) -> int:
    """Return the number of groups of a summary."""
    return reports.summary_page(selection, groupby, zone, Page(limit=0)).total


def run_at_once(*works: Callable[[], object]) -> None:
    """Run each work in a thread of its own; raise an error of any of them."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
    for future in futures:
        future.result()


@contextlib.contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that are sent in this context."""
    sent_statements: list[str] = []

    def note(*arguments: object) -> None:
        sent_statements.append(str(arguments[2]))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent_statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
