"""How much is rated at once."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Sequence

from ratekit.domain.period import Window
from ratekit.domain.scope import State

#: Scopes times periods of the very first batch: small, since nothing is known yet.
FIRST = 96
#: How often the batches of scopes that keep failing are halved.
_MOST_HALVINGS = 10
#: How much larger than the last a batch may be.
GROWTH = 4.0


@dataclasses.dataclass(frozen=True, slots=True)
class DueScope:
    """What is due of one scope.

    :ivar until: end of its last due period
    """

    state: State
    until: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Some scopes over a window: what is collected together and written in one transaction.

    :ivar states: not empty; each with ``rated_until == window.begin``
    """

    window: Window
    states: Sequence[State]

    @property
    def size(self) -> int:
        """Scopes times periods."""
        return len(self.states) * self.window.count

    def halves(self) -> tuple[Batch, Batch]:
        """Split the scopes; there must be two at least."""
        middle = len(self.states) // 2
        return (
            Batch(self.window, self.states[:middle]),
            Batch(self.window, self.states[middle:]),
        )

    def __str__(self) -> str:
        if len(self.states) == 1:
            scope = self.states[0].scope
            who = f"scope {scope.id} ({scope.name})" if scope.name else f"scope {scope.id}"
        else:
            who = f"{len(self.states)} scopes"
        return f"{who} over {self.window}"


@dataclasses.dataclass(frozen=True, slots=True)
class BatchSize:
    """How large the next batch may be, learnt from the last ones.

    :ivar limit: scopes times periods
    :ivar seconds: how long collecting a batch should take
    :ivar frames: how many frames a batch should hold at most
    :ivar densest: most frames that a scope's period has had, on average of a batch
    """

    seconds: float
    frames: int
    limit: int = FIRST
    densest: float = 1.0

    def after(self, size: int, seconds: float, frames: int) -> BatchSize:
        """Return the size after a batch that took ``seconds`` and yielded ``frames``.

        A batch that was smaller than the limit says little about larger ones, so growth
        starts from what was tried.
        """
        by_time = self.seconds / max(seconds, 0.001)
        by_frames = self.frames / max(frames, 1)
        factor = min(by_time, by_frames, GROWTH)
        limit = int(size * factor)
        if factor >= 1:
            limit = max(limit, self.limit)
        # Quiet scopes make batches grow; the next ones may be as busy as any have been.
        densest = max(self.densest, frames / size)
        limit = max(min(limit, int(self.frames / densest)), 1)
        return dataclasses.replace(self, limit=limit, densest=densest)

    def halved(self, size: int) -> BatchSize:
        """Return the size after a batch of ``size`` failed: half of what was tried."""
        return dataclasses.replace(self, limit=max(min(size, self.limit) // 2, 1))


def next_batch(work: Sequence[DueScope], step: datetime.timedelta, limit: int) -> Batch | None:
    """Return the next batch of what is due, the scopes that lag most first.

    Those that failed before come after all others and are not mixed with them, so a scope
    that fails for ever holds up nobody.

    Long windows go before many scopes: what a request costs a back end depends on the
    number of resources far more than on the number of periods.

    :param work: at most one a scope; those without a due period are passed over
    """
    due = sorted(
        (one for one in work if one.state.rated_until < one.until),
        key=lambda one: (*_likeness(one), one.state.scope.id),
    )
    if not due:
        return None
    first = due[0]
    begin = first.state.rated_until
    # What failed before is asked for less at a time, however well the others are doing.
    limit = max(limit >> min(first.state.failures, _MOST_HALVINGS), 1)
    count = min((first.until - begin) // step, limit)
    alike = itertools.takewhile(lambda one: _likeness(one) == _likeness(first), due)
    states = [one.state for one in itertools.islice(alike, max(limit // count, 1))]
    return Batch(Window(begin, step, count), states)


def _likeness(one: DueScope) -> tuple[int, datetime.datetime, datetime.datetime]:
    """What scopes of one batch have in common."""
    return one.state.failures, one.state.rated_until, one.until
