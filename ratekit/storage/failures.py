"""What a database's complaints mean: who has to act."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import exc

from ratekit import errors

# SQLite has one class for everything that is not the statement's fault; of these, only what
# another process does to us goes by itself.
_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM")


@contextlib.contextmanager
def explained(place: str, dbapi: Any) -> Iterator[None]:
    """Turn the database's errors into ratekit's.

    :param place: what to call the database in messages; without a password
    :param dbapi: the driver, a PEP 249 module
    :raises ratekit.errors.TryLater: the database did not answer, or was busy
    :raises ratekit.errors.OperatorError: it refuses, and will again
    """
    try:
        yield
    except (exc.TimeoutError, exc.DisconnectionError) as error:
        raise errors.TryLater(f"{place}: {_line(error)}") from error
    except UnicodeEncodeError as error:
        raise errors.OperatorError(f"{place}: text that is no Unicode: {error}") from error
    except exc.StatementError as error:
        raise _meaning(error.orig or error, place, dbapi) from error.orig
    except dbapi.Error as error:
        raise _meaning(error, place, dbapi) from error


def _meaning(cause: BaseException, place: str, dbapi: Any) -> BaseException:
    """Return what to raise instead of ``cause``; itself if it is a programming error."""
    line = f"{place}: {_line(cause)}"
    code = getattr(cause, "sqlite_errorname", None)
    if code == "SQLITE_CANTOPEN":
        line += "; its folder must exist and this user must be able to write there"
    if isinstance(cause, dbapi.OperationalError) and code is not None:
        passing = code.startswith(_SQLITE_PASSING)
        return errors.TryLater(line) if passing else errors.OperatorError(line)
    if isinstance(cause, dbapi.OperationalError | dbapi.InterfaceError | dbapi.InternalError):
        return errors.TryLater(line)
    # Among them the unique keys: periods whose frames are there although the state says no.
    return errors.OperatorError(line) if isinstance(cause, dbapi.Error) else cause


def _line(error: BaseException) -> str:
    """Return the first line of a message: the others may quote rows or statements."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
