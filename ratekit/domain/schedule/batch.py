"""Batches: which scopes and periods are rated together."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ratekit.domain.period import Window
from ratekit.domain.schedule.density import Density
from ratekit.domain.schedule.division import Turn
from ratekit.domain.scope import State
from ratekit.text import count_text

#: Scopes times periods of the first batch: the smallest, because the usage is not known yet.
FIRST = 1
#: How often the batch limit of scopes that keep failing is halved at most.
_MAX_HALVINGS = 10
#: How many times larger than the last batch the next one may be.
GROWTH = 8.0


@dataclasses.dataclass(frozen=True, slots=True)
class DueScope:
    """A scope with periods that are due.

    :ivar state: how far it has been rated
    :ivar until: end of its last due period
    :ivar turn: when this process rates it
    :ivar place: its place among the scopes that are equally far behind
    """

    state: State
    until: datetime.datetime
    turn: Turn = Turn.OWN
    place: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Scopes over a window: collected together and written in one transaction.

    :ivar states: at least one; each with ``rated_until == window.begin``
    """

    window: Window
    states: Sequence[State]

    @property
    def size(self) -> int:
        """Scopes times periods."""
        return len(self.states) * self.window.count

    def halves(self) -> tuple[Batch, Batch]:
        """Split the scopes, of which there must be at least two."""
        middle = len(self.states) // 2
        return (
            Batch(self.window, self.states[:middle]),
            Batch(self.window, self.states[middle:]),
        )

    def __str__(self) -> str:
        if len(self.states) == 1:
            scope = self.states[0].scope
            subject = f"scope {scope.id} ({scope.name})" if scope.name else f"scope {scope.id}"
        else:
            subject = count_text(len(self.states), "scope")
        return f"{subject} over {self.window}"


@dataclasses.dataclass(frozen=True, slots=True)
class BatchSize:
    """How large the next batch may be, learned from earlier batches.

    :ivar seconds: how long collecting a batch should take
    :ivar weight: of a batch at most; see :func:`ratekit.domain.schedule.density.weigh`
    :ivar limit: scopes times periods of the next batch
    :ivar densest: highest density seen, averaged over the scopes of a batch
    """

    seconds: float
    weight: int
    limit: int = FIRST
    densest: Density = Density()  # noqa: RUF009 -- it is immutable

    def after(self, size: int, seconds: float, density: Density, share: float) -> BatchSize:
        """Return the size after a batch.

        A batch that was smaller than the limit says little about larger ones, so growth
        starts from the size of that batch.

        :param size: scopes times periods of the batch
        :param seconds: how long collecting it took
        :param density: of its scopes, on average
        :param share: how much it took of what one request may return; 1: all
        """
        by_time = self.seconds / max(seconds, 0.001)
        by_share = 1 / max(share, 0.001)
        factor = min(by_time, by_share, GROWTH)
        limit = int(size * factor)
        if factor >= 1:
            limit = max(limit, self.limit)
        # Scopes with little usage make batches grow; the next may be as busy as the busiest so far.
        return dataclasses.replace(self, limit=max(limit, 1), densest=self.densest.max(density))

    def after_failure(self, size: int) -> BatchSize:
        """Return the size after a batch of ``size`` failed: half of it."""
        return dataclasses.replace(self, limit=max(min(size, self.limit) // 2, 1))

    def max_periods(self) -> int:
        """Return how many periods of one scope a batch may have, at least 1."""
        room = self.weight - self.densest.weight(0)
        return max(min(self.limit, int(room / max(self.densest.points, 1e-9))), 1)

    def max_scopes(self, periods: int) -> int:
        """Return how many scopes a batch of so many periods may have, at least 1."""
        by_weight = self.weight / max(self.densest.weight(periods), 1e-9)
        return max(min(self.limit // periods, int(by_weight)), 1)


def next_batch(
    scopes: Sequence[DueScope],
    step: datetime.timedelta,
    size: BatchSize,
    large: Mapping[str, int] = MappingProxyType({}),
) -> Batch | None:
    """Return the next batch, starting with the scopes that are furthest behind.

    Scopes that failed before come after all others and are not mixed with them, so that a
    scope that always fails does not delay the others. Scopes of other processes come after this
    process's own.

    A batch prefers long windows over many scopes, because the cost of a request to a back end
    depends on the number of resources far more than on the number of periods.

    :param scopes: each scope at most once; scopes without a due period are ignored
    :param large: maximum number of periods of each scope that is rated alone, whatever the
        size, because its requests are divided by resources
    """
    due = sorted(
        (scope for scope in scopes if scope.state.rated_until < scope.until),
        key=lambda scope: (*_batch_key(scope), scope.place, scope.state.scope.id),
    )
    if not due:
        return None
    first = due[0]
    begin = first.state.rated_until
    due_count = (first.until - begin) // step
    if first.state.scope.id in large:
        window = Window(begin, step, min(due_count, large[first.state.scope.id]))
        return Batch(window, [first.state])
    # Smaller batches for scopes that failed before, however fast the back end is otherwise.
    halvings = min(first.state.failures, _MAX_HALVINGS)
    size = dataclasses.replace(size, limit=max(size.limit >> halvings, 1))
    count = min(due_count, size.max_periods())
    candidates = itertools.takewhile(lambda scope: _batch_key(scope) == _batch_key(first), due)
    alike = (scope.state for scope in candidates if scope.state.scope.id not in large)
    states = list(itertools.islice(alike, size.max_scopes(count)))
    return Batch(Window(begin, step, count), states)


def _batch_key(scope: DueScope) -> tuple[int, Turn, datetime.datetime, datetime.datetime]:
    """Return what all scopes of a batch have in common."""
    return scope.state.failures, scope.turn, scope.state.rated_until, scope.until
