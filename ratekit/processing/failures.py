"""What comes after a failure: one policy for batches, tasks and whole cycles."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable
from typing import TypeVar

from ratekit import errors
from ratekit.domain.schedule.backoff import Backoff

T = TypeVar("T")


def attempt(function: Callable[[], T]) -> T | Exception:
    """Call ``function`` and return its result, or the exception that it raised.

    The exception is returned, not handled here, because oslo.log appends an exception that is
    being handled to every line that is logged meanwhile.

    :raises ratekit.errors.SchemaChanged: by ``function``; the process must end
    """
    try:
        return function()
    except errors.SchemaChanged:
        raise
    except Exception as error:  # noqa: BLE001 - one failure must not end the loop
        return error


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """When failed work is tried again, and how its failure is logged.

    :ivar failure: what the work raised
    :ivar delay: how long to wait
    :ivar retry_at: earliest time of the next attempt, UTC
    """

    failure: Exception
    delay: datetime.timedelta
    retry_at: datetime.datetime

    @property
    def level(self) -> int:
        """Log level: ERROR where an operator must act, WARNING where waiting may be enough."""
        match self.failure:
            case errors.NotYet():
                return logging.INFO
            case errors.TryLater():
                return logging.WARNING
            case _:
                return logging.ERROR

    def log(self, logger: logging.Logger, expected: str, unexpected: str, *args: object) -> None:
        """Log the failure once.

        :param expected: format for the errors of ratekit, with ``args`` and the failure
        :param unexpected: format for a bug, with ``args``; its traceback follows
        """
        if isinstance(self.failure, errors.RatekitError):
            logger.log(self.level, expected, *args, self.failure)
        else:
            logger.error(unexpected, *args, exc_info=self.failure)


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Decides what comes after a failure; immutable, like the ``Retry`` of urllib3.

    :ivar backoff: delays between attempts
    :ivar down_after: consecutive requests without a response after which a back end is down
    """

    backoff: Backoff
    down_after: int = 3

    def retry(
        self, failure: Exception, failures: int, chance: float, now: datetime.datetime
    ) -> Retry:
        """Return when to try again.

        :param failures: consecutive failures before this one
        :param chance: a random number, 0 <= chance < 1
        """
        if isinstance(failure, errors.NotYet):
            delay = self.backoff.first
        else:
            after = failure.after if isinstance(failure, errors.TryLater) else None
            delay = self.backoff.delay(failures, chance, after)
        return Retry(failure, delay, now + delay)

    def is_down(self, unanswered: int) -> bool:
        """Tell whether a back end is down.

        :param unanswered: consecutive requests without a response
        """
        return unanswered >= self.down_after
