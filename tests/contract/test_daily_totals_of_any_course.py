"""Daily totals stay right whatever is rated, reset, reprocessed and purged, in any order."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import re
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from tests.contract.conftest import clean
from tests.contract.given import HOUR, START, Pair, batch, build_series, reopen
from tests.daily_totals import compare_tables

NOTE = TaskNote("why", "ann@example", START)
NOW = START + 999 * HOUR
#: Scopes by the length of their periods in hours.
GROUPS = {1: ("a", "b", "c"), 7: ("d", "e"), 24: ("f", "g"), 14 * 24: ("h",)}
NAMES = [("cpu", "core"), ("cpu", "cores"), ("disk", "GiB")]
PAIRS: list[Pair] = [
    ("1", "0.1"),
    ("0", "0"),
    ("-0", "-0"),
    ("-2.5", "0.0000000000000000000000000001"),
    ("0.000000000000000001", "-0.1"),
    ("9" * 44, "9" * 33),
    ("1E+20", "1E-27"),
]


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a batch or a task finds; the same for all its periods but those without.

    :ivar names: numbers of metric and unit
    :ivar silent: periods without usage
    """

    names: frozenset[int]
    pair: int
    silent: frozenset[int]

    def series(self, scope: str, periods: Window) -> list[RatedSeries]:
        """Return series with a point each."""
        begins = enumerate(periods.begins())
        return [
            build_series(scope, [PAIRS[self.pair]], metric=metric, unit=unit, begin=begin)
            for number, begin in begins
            for metric, unit in (NAMES[name] for name in sorted(self.names))
            if number not in self.silent
        ]


@dataclasses.dataclass(frozen=True)
class Rating:
    """A batch of some scopes of a group.

    :ivar lost: number of scopes that another processor has advanced
    """

    hours: int
    count: int
    usage: Usage
    lost: int

    def take(self, course: Course) -> None:
        """Rate the scopes that are rated until the same time as the first one."""
        states = course.states(GROUPS[self.hours])
        begin = states[0].rated_until
        together = [state for state in states if state.rated_until == begin]
        periods = Window(begin, self.hours * HOUR, self.count)
        seen = [
            dataclasses.replace(state, resets=state.resets + 1) if number < self.lost else state
            for number, state in enumerate(together)
        ]
        series = [rated for state in seen for rated in self.usage.series(state.scope.id, periods)]
        result = course.storage.ledger.commit(
            batch(seen, *series, periods=periods, metrics=("cpu", "disk"))
        )
        assert len(result.lost_scopes) == min(self.lost, len(together))


@dataclasses.dataclass(frozen=True)
class Reset:
    """A reset of a scope by so many periods, if they are not purged."""

    hours: int
    back: int

    def take(self, course: Course) -> None:
        state = course.states(GROUPS[self.hours])[-1]
        since = state.rated_until - self.back * self.hours * HOUR
        course.try_to(lambda: self._reset(course.storage, state, since))

    @staticmethod
    def _reset(storage: Storage, state: State, since: datetime.datetime) -> None:
        storage.scopes.reset(storage.scopes.plan_reset(state.scope.id, since))


@dataclasses.dataclass(frozen=True)
class Reprocessing:
    """A task of so many periods before the end of a scope, if they are not purged.

    :ivar kept: numbers of periods that are left unchanged
    """

    hours: int
    back: int
    usage: Usage
    kept: frozenset[int]

    def take(self, course: Course) -> None:
        state = course.states(GROUPS[self.hours])[0]
        step = self.hours * HOUR
        periods = Window(state.rated_until - self.back * step, step, self.back)
        course.try_to(lambda: self._swap(course.storage, state.scope, periods))

    def _swap(self, storage: Storage, scope: Scope, periods: Window) -> None:
        order = Order(scope, periods.begin, periods.end, periods.step, TaskKind.COLLECT)
        (id_,) = storage.tasks.add([order], NOTE)
        task = storage.task_ledger.read(id_)
        assert task is not None
        begins = periods.begins()
        kept = {begin: "" for number, begin in enumerate(begins) if number in self.kept}
        series = [
            rated
            for rated in self.usage.series(scope.id, periods)
            if rated.series.points[0][0] not in kept
        ]
        work = RepricedWindow(periods, kept, series, 0, ("cpu", "disk"))
        storage.task_ledger.swap(task, work, NOW)


@dataclasses.dataclass(frozen=True)
class Purging:
    """A purge that stops after so many transactions.

    :ivar before: hours after the start of the first scope
    """

    before: float
    limit: int
    transactions: int

    def take(self, course: Course) -> None:
        purge = course.storage.purge
        purge.start(START + self.before * HOUR, totals=True)
        removals = purge.remove(self.limit)
        for _ in itertools.islice(removals, self.transactions):
            course.check()


class Course:
    """A database, and what happens to it."""

    def __init__(self, url: str, engine: sa.Engine) -> None:
        self._engine = engine
        self.storage = reopen(url)
        ids: list[str] = []
        for hours, scopes in GROUPS.items():
            ids += scopes
            start = period.floor(START, hours * HOUR)
            self.storage.ledger.observe([Scope(id_, id_) for id_ in ids], START, start, start)
        self._scopes = [Scope(id_, id_) for id_ in ids]

    def states(self, scopes: Sequence[str]) -> list[State]:
        """Return the states of scopes."""
        observation = self.storage.ledger.observe(self._scopes, START, START, START)
        states = {state.scope.id: state for state in observation.states}
        return [states[id_] for id_ in scopes]

    def try_to(self, change: Callable[[], None]) -> None:
        """Change the past, unless it was purged or never rated."""
        try:
            change()
        except errors.OperatorError as error:
            if not re.search("purged|rated", str(error)):
                raise

    def check(self) -> None:
        """Require that no day is wrong."""
        assert compare_tables(self._engine) == []


hours = st.sampled_from(sorted(GROUPS))
numbers = st.frozensets(st.integers(0, 29), max_size=12)
usages = st.builds(
    Usage,
    names=st.frozensets(st.integers(0, len(NAMES) - 1), min_size=1),
    pair=st.integers(0, len(PAIRS) - 1),
    silent=numbers,
)


def ratings(groups: st.SearchStrategy[int]) -> st.SearchStrategy[Rating]:
    """Return batches of one of these groups."""
    lost = st.sampled_from([0, 0, 0, 1])
    return st.builds(Rating, hours=groups, count=st.integers(1, 30), usage=usages, lost=lost)


#: Each group is rated before anything else happens.
firsts = st.tuples(*(ratings(st.just(group)) for group in GROUPS))
others = st.one_of(
    ratings(hours),
    st.builds(Reset, hours=hours, back=st.integers(1, 40)),
    st.builds(Reprocessing, hours=hours, back=st.integers(1, 30), usage=usages, kept=numbers),
    st.builds(
        Purging,
        before=st.sampled_from([-400.0, 0.0, 5.0, 10.5, 24.0, 30.0, 48.0, 100.25]),
        limit=st.integers(1, 9),
        transactions=st.integers(0, 5),
    ),
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=firsts, then=st.lists(others, min_size=1, max_size=8))
def test_each_step_leaves_every_day_right(
    url: str,
    cleaning_engine: sa.Engine,
    first: tuple[Rating, ...],
    then: list[Rating | Reset | Reprocessing | Purging],
) -> None:
    clean(cleaning_engine)
    course = Course(url, cleaning_engine)
    for step in [*first, *then]:
        step.take(course)
        course.check()
