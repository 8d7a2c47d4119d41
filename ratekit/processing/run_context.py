"""What a processor's process gives to the work that it runs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from ratekit import errors
from ratekit.domain.schedule.batch import Batch

Clock = Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a cycle, reported after each batch.

    :ivar batch: what this processor rated of the batch; no states if other processors had
        already rated all of it
    :ivar frames: number of frames written
    :ivar scopes_left: scopes of this process that still have due periods
    :ivar periods_left: these scopes times periods still due
    """

    batch: Batch
    frames: int
    scopes_left: int
    periods_left: int


@dataclasses.dataclass(frozen=True, slots=True)
class RunContext:
    """Functions of the process that cycles and tasks run in.

    :ivar clock: returns the current time, aware, UTC
    :ivar report: is called after each batch
    :ivar should_continue: is called before each batch; False ends the cycle
    :ivar chance: returns a random number, 0 <= chance < 1
    """

    clock: Clock
    report: Callable[[Progress], None]
    should_continue: Callable[[], bool]
    chance: Callable[[], float]

    def require_continue(self) -> None:
        """Require that the process goes on; called between the parts of a large batch.

        :raises ratekit.errors.Interrupted: it stops
        """
        if not self.should_continue():
            raise errors.Interrupted
