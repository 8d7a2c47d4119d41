"""What a database's complaints mean: who has to act."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from ratekit import errors

# SQLite has one class for everything that is not the statement's fault; of these, only what
# another process does to us goes by itself.
_SQLITE_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM")

# After a failover the old connections lead to what is a standby now: that passes with new ones.
_SQLSTATE_STANDBY = "25006"
_MYSQL_STANDBY = frozenset({1290, 1792, 1836})

# Classes and codes of SQLSTATE. Somebody was in the way: serialization, deadlock, lock timeout.
_SQLSTATE_CONFLICT = frozenset({"40001", "40P01", "55P03"})
# 08 connection, 53 resources, 57 operator's intervention (statement timeouts too), 58 system.
_SQLSTATE_PASSING = ("08", _SQLSTATE_STANDBY, "25P03", "40", "53", "55", "57", "58", "XX000")

# libpq gives a refused login no code. These are PostgreSQL's words where it speaks English;
# in another language the refusal counts as passing, and is told just the same.
_POSTGRESQL_REFUSAL = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry"
    r"|(database|role) .* does not exist|permission denied for database"
    r"|authentication failed|is not permitted to log in|invalid connection option"
)

# Deadlock, lock timeout, and a row that changed under a snapshot.
_MYSQL_CONFLICT = frozenset({1213, 1205, 1020, 3572})
_MYSQL_PASSING = frozenset(
    {
        # No connection, or lost: as the client sees it, and as the server tells.
        *(2002, 2003, 2005, 2006, 2013, 2014, 2027, 2055, 0),
        *(1042, 1043, 1047, 1053, 1077, 1079, 1080, 1152, *range(1154, 1162), 1184, 4031),
        # Too many connections, or not enough memory, files or disk.
        *(1040, 1203, 1226, 1021, 1030, 1037, 1038, 1041, 1114, 1135, 3, 1026),
        # Ended by a limit or by an administrator, or by another node of a cluster.
        *(1028, 1180, 1317, 1927, 1969, 3024, 1105),
        # Not to be written to, or not any more.
        *_MYSQL_STANDBY,
    }
)


class CommitUnconfirmed(errors.TryLater):
    """The database did not answer to COMMIT: all was written, or nothing."""


@contextlib.contextmanager
def explained(place: str, dbapi: Any) -> Iterator[None]:
    """Turn the database's errors into ratekit's.

    :param place: what to call the database in messages; without a password
    :param dbapi: the driver, a PEP 249 module
    :raises ratekit.errors.Conflict: another transaction was in the way
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
        _let_go(error)
        raise _meaning(error.orig or error, place, dbapi) from error.orig
    except dbapi.Error as error:
        _let_go(error)
        raise _meaning(error, place, dbapi) from error


def leave_standby(context: sa.engine.ExceptionContext) -> None:
    """Give up all connections to a server that is not to be written to any more.

    A listener for SQLAlchemy's ``handle_error``.
    """
    cause = context.original_exception
    code = cause.args[0] if cause.args else None
    if getattr(cause, "sqlstate", None) == _SQLSTATE_STANDBY or code in _MYSQL_STANDBY:
        context.is_disconnect = True


def _let_go(error: BaseException) -> None:
    """Raise what ended the work, a killed green thread, if ``error`` only followed from it."""
    before: BaseException | None = error
    while before is not None:
        if not isinstance(before, Exception | GeneratorExit):
            raise before
        before = before.__cause__ or before.__context__


def _meaning(cause: BaseException, place: str, dbapi: Any) -> BaseException:
    """Return what to raise instead of ``cause``; itself if it is a programming error."""
    if not isinstance(cause, dbapi.Error):
        return cause
    sort, line = _SORTERS[dbapi.__name__.partition(".")[0]](cause, dbapi)
    return sort(f"{place}: {line}")


def _sqlite(cause: Any, _dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    code = getattr(cause, "sqlite_errorname", None) or ""
    line = _line(cause)
    if code == "SQLITE_CANTOPEN":
        line += "; this user must be able to write to it and to its folder"
    # Not passing, among others: unique keys, of periods whose frames are there although the
    # state says no.
    return errors.TryLater if code.startswith(_SQLITE_PASSING) else errors.OperatorError, line


def _postgresql(cause: Any, dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    state, line = cause.sqlstate or "", _line(cause)
    if state in _SQLSTATE_CONFLICT:
        return errors.Conflict, line
    if state:
        passing = state.startswith(_SQLSTATE_PASSING)
        return errors.TryLater if passing else errors.OperatorError, line
    whole = " ".join(str(cause).split())
    lost = (dbapi.OperationalError, dbapi.InterfaceError, dbapi.InternalError)
    if isinstance(cause, lost) and not _POSTGRESQL_REFUSAL.search(whole):
        return errors.TryLater, line
    return errors.OperatorError, line


def _mysql(cause: Any, _dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    code = cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0
    text = str(cause.args[1]) if len(cause.args) > 1 and cause.args[1] else "connection lost"
    line = f"{text.splitlines()[0]} ({code})" if code else _line(cause)
    if code in _MYSQL_CONFLICT:
        return errors.Conflict, line
    return errors.TryLater if code in _MYSQL_PASSING else errors.OperatorError, line


_SORTERS: dict[str, Callable[[Any, Any], tuple[type[errors.RatekitError], str]]] = {
    "sqlite3": _sqlite,
    "psycopg": _postgresql,
    "pymysql": _mysql,
}


def _line(error: BaseException) -> str:
    """Return the first line of a message: the others may quote rows or statements."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
