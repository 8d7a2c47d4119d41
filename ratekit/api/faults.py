"""Errors as answers: a status, one line for the client, and headers."""

from __future__ import annotations

import math

from ratekit import errors
from ratekit.text import printable

#: What clients learn of an unexpected error; the log has the rest.
INTERNAL = "Internal Server Error"
#: What clients learn where the database is away or busy; the log has the rest.
UNAVAILABLE = "the database does not answer; try again later"
_BUSY = "another change was in the way; try again"
#: Seconds after which a client may try again, if nothing else is known.
_RETRY_AFTER = 10

_UNCONFIRMED = (
    "the database did not confirm the change: look whether it was made before you repeat it"
)


class Fault(Exception):
    """An error that ends a request.

    :ivar status: HTTP status, 400 or more
    :ivar message: one line for the client
    :ivar headers: of the answer
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        self.status = status
        self.message = printable(message)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(message)


def not_found(noun: str, name: str) -> Fault:
    """Return the error for a thing that does not exist."""
    return Fault(404, f"{noun} {name!r} not found")


def read_error(error: errors.RatekitError) -> Fault:
    """Return the fault for an error of ratekit.

    Its text is the error's only where whoever asks can use it: see :func:`is_of_host`.
    """
    message = "; ".join(error.lines())
    if isinstance(error, errors.LockConflict):
        return Fault(409, _BUSY)
    if isinstance(error, errors.Conflict | errors.StateConflict):
        return Fault(409, message)
    if isinstance(error, errors.TryLater):
        after = _RETRY_AFTER if error.after is None else math.ceil(error.after)
        text = UNAVAILABLE if is_of_host(error) else message
        if isinstance(error, errors.Unconfirmed):
            text = _UNCONFIRMED
        return Fault(503, text, Retry_After=str(after))
    if isinstance(error, errors.HostError):
        return Fault(500, INTERNAL)
    if isinstance(error, errors.NotFound):
        return Fault(404, message)
    if isinstance(error, errors.OperatorError):
        return Fault(400, message)
    return Fault(500, INTERNAL)


def is_of_host(error: errors.RatekitError) -> bool:
    """Return whether an error is about this host and what it uses, not about a request.

    Its text names addresses, files and users, which only the log may show.
    """
    if isinstance(error, errors.Conflict):
        return isinstance(error, errors.LockConflict)
    if isinstance(error, errors.TryLater):
        return not isinstance(error, errors.TooSlow | errors.NotShown)
    return isinstance(error, errors.HostError) or not isinstance(error, errors.OperatorError)
