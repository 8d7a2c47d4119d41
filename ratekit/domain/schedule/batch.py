"""Batches: which scopes and periods are rated together."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Sequence

from ratekit.domain.period import Window
from ratekit.domain.schedule.division import Turn
from ratekit.domain.scope import State
from ratekit.text import count_text

#: Scopes times periods of the first batch: small, because the usage is not known yet.
FIRST = 96
#: How often the batch limit of scopes that keep failing is halved at most.
_MAX_HALVINGS = 10
#: How many times larger than the last batch the next one may be.
GROWTH = 4.0


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

    :ivar limit: scopes times periods of the next batch
    :ivar seconds: how long collecting a batch should take
    :ivar frames: how many frames a batch should have at most
    :ivar densest: highest number of frames for one scope and period seen in a batch, averaged
        over the batch
    """

    seconds: float
    frames: int
    limit: int = FIRST
    densest: float = 1.0

    def after(self, size: int, seconds: float, frames: int) -> BatchSize:
        """Return the size after a batch of ``size`` took ``seconds`` and had ``frames``.

        A batch that was smaller than the limit says little about larger ones, so growth
        starts from the size of that batch.
        """
        by_time = self.seconds / max(seconds, 0.001)
        by_frames = self.frames / max(frames, 1)
        factor = min(by_time, by_frames, GROWTH)
        limit = int(size * factor)
        if factor >= 1:
            limit = max(limit, self.limit)
        # Scopes with little usage make batches grow; the next may be as busy as the busiest so far.
        densest = max(self.densest, frames / size)
        limit = max(min(limit, int(self.frames / densest)), 1)
        return dataclasses.replace(self, limit=limit, densest=densest)

    def after_failure(self, size: int) -> BatchSize:
        """Return the size after a batch of ``size`` failed: half of it."""
        return dataclasses.replace(self, limit=max(min(size, self.limit) // 2, 1))


def next_batch(scopes: Sequence[DueScope], step: datetime.timedelta, limit: int) -> Batch | None:
    """Return the next batch, starting with the scopes that are furthest behind.

    Scopes that failed before come after all others and are not mixed with them, so that a
    scope that always fails does not delay the others. Scopes of other processes come after this
    process's own.

    A batch prefers long windows over many scopes, because the cost of a request to a back end
    depends on the number of resources far more than on the number of periods.

    :param scopes: each scope at most once; scopes without a due period are ignored
    """
    due = sorted(
        (scope for scope in scopes if scope.state.rated_until < scope.until),
        key=lambda scope: (*_batch_key(scope), scope.place, scope.state.scope.id),
    )
    if not due:
        return None
    first = due[0]
    begin = first.state.rated_until
    # Smaller batches for scopes that failed before, however fast the back end is otherwise.
    limit = max(limit >> min(first.state.failures, _MAX_HALVINGS), 1)
    count = min((first.until - begin) // step, limit)
    candidates = itertools.takewhile(lambda scope: _batch_key(scope) == _batch_key(first), due)
    states = [scope.state for scope in itertools.islice(candidates, max(limit // count, 1))]
    return Batch(Window(begin, step, count), states)


def _batch_key(scope: DueScope) -> tuple[int, Turn, datetime.datetime, datetime.datetime]:
    """Return what all scopes of a batch have in common."""
    return scope.state.failures, scope.turn, scope.state.rated_until, scope.until
