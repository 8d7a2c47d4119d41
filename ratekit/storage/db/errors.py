"""Database errors, sorted by who must act."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from ratekit import errors

# SQLite raises one class for every error that the statement did not cause. Of these, only errors
# that other processes or a lack of resources cause are temporary.
_SQLITE_TEMPORARY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM")

# After a failover the old connections lead to a standby server; new connections do not.
_SQLSTATE_STANDBY = "25006"
_MYSQL_STANDBY = frozenset({1290, 1792, 1836})

# A statement that reached its limit.
_SQLSTATE_CANCELED = "57014"
_MYSQL_TIME_LIMIT = frozenset({1969, 3024})

# A number that its column cannot hold.
_SQLSTATE_OUT_OF_RANGE = "22003"
_MYSQL_OUT_OF_RANGE = frozenset({1264, 1690})
# What SQLite says of any error of a function in Python; exact_add has no other.
_SQLITE_OUT_OF_RANGE = "user-defined function raised exception"

# Codes of SQLSTATE for conflicts: serialization, deadlock, lock timeout.
_SQLSTATE_CONFLICT = frozenset({"40001", "40P01", "55P03"})
# Classes and codes of SQLSTATE for temporary errors: 08 connection, 53 resources, 57 operator's
# intervention (statement timeouts too), 58 system.
_SQLSTATE_TEMPORARY = ("08", _SQLSTATE_STANDBY, "25P03", "40", "53", "55", "57", "58", "XX000")

# libpq reports a refused login without a code. These are PostgreSQL's English messages. In another
# language the refusal counts as temporary; it is reported all the same.
_POSTGRESQL_REFUSAL = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry"
    r"|(database|role) .* does not exist|permission denied for database"
    r"|authentication failed|is not permitted to log in|invalid connection option"
)

# Deadlock, lock timeout, and a row that changed under a snapshot.
_MYSQL_CONFLICT = frozenset({1213, 1205, 1020, 3572})
_MYSQL_TEMPORARY = frozenset(
    {
        # No connection, or a lost one: codes of the client, then codes of the server.
        *(2002, 2003, 2005, 2006, 2013, 2014, 2027, 2055, 0),
        *(1042, 1043, 1047, 1053, 1077, 1079, 1080, 1152, *range(1154, 1162), 1184, 4031),
        # Too many connections, or not enough memory, files or disk space.
        *(1040, 1203, 1226, 1021, 1030, 1037, 1038, 1041, 1114, 1135, 3, 1026),
        # Ended by a limit or by an administrator, or by another node of a cluster.
        *(1028, 1180, 1317, 1927, 1969, 3024, 1105),
        # The server is read-only, or has become so.
        *_MYSQL_STANDBY,
    }
)


# Replies to COMMIT that do not tell its outcome. The server or the session ended, on a standby too
# while it waited for one; the server's own trouble.
_SQLSTATE_UNKNOWN = ("08", "40003", "57P", "58", "XX")
_MYSQL_UNKNOWN = frozenset(
    {0, 1028, 1047, 1053, 1105, *range(1152, 1162), 1180, 1184, 1317, 1927, 1969, 3024, 4031}
)
# Errors that the driver makes up, because the server is gone.
_MYSQL_CLIENT = range(2000, 3000)
_SQLITE_UNKNOWN = ("SQLITE_IOERR", "SQLITE_CORRUPT")

NO_REPLY = "no reply to COMMIT"


class CommitUnconfirmed(errors.Unconfirmed):
    """It is unknown whether COMMIT wrote everything, or nothing.

    :ivar place: name of the database in messages
    :ivar reply: what the database replied, if it did
    """

    def __init__(self, place: str, reply: str = NO_REPLY) -> None:
        self.place = place
        self.reply = reply
        super().__init__(f"{place}: {reply}; it is unknown whether the transaction was committed")


class CommitReply(NamedTuple):
    """What a database said when COMMIT failed.

    :ivar is_refusal: nothing was written; else the outcome is unknown
    :ivar text: for messages
    """

    is_refusal: bool
    text: str


def commit_reply(cause: Any, dbapi: Any) -> CommitReply:
    """Return what an error of COMMIT means.

    :param cause: the driver's error
    :param dbapi: the driver, a PEP 249 module
    """
    _, line = _CLASSIFIERS[_driver(dbapi)](cause, dbapi)
    has_reply, is_unknown = _COMMIT_REPLIES[_driver(dbapi)](cause)
    if not has_reply:
        return CommitReply(False, NO_REPLY)
    return CommitReply(not is_unknown, f"COMMIT failed: {line}")


@contextlib.contextmanager
def translate(place: str, dbapi: Any) -> Iterator[None]:
    """Raise ratekit's errors in place of the database's.

    :param place: name of the database in messages, without a password
    :param dbapi: the driver, a PEP 249 module
    :raises ratekit.errors.LockConflict: another transaction was in the way
    :raises ratekit.errors.TryLater: the database did not answer, or was busy
    :raises ratekit.errors.HostError: the database refuses, and will refuse again
    """
    try:
        yield
    except (exc.TimeoutError, exc.DisconnectionError) as error:
        raise errors.TryLater(f"{place}: {_line(error)}") from error
    except UnicodeEncodeError as error:
        raise errors.OperatorError(f"text is not valid Unicode: {error}") from error
    except exc.StatementError as error:
        _raise_exit(error)
        raise _translation(error.orig or error, place, dbapi) from error.orig
    except dbapi.Error as error:
        _raise_exit(error)
        raise _translation(error, place, dbapi) from error


def is_time_limit(cause: BaseException | None) -> bool:
    """Return whether a driver's error says that a statement took longer than its limit."""
    code = cause.args[0] if cause is not None and cause.args else None
    return (
        getattr(cause, "sqlstate", None) == _SQLSTATE_CANCELED
        or code in _MYSQL_TIME_LIMIT
        or getattr(cause, "sqlite_errorname", None) == "SQLITE_INTERRUPT"
    )


def is_out_of_range(cause: BaseException | None) -> bool:
    """Return whether a driver's error says that a column cannot hold a sum."""
    code = cause.args[0] if cause is not None and cause.args else None
    return (
        getattr(cause, "sqlstate", None) == _SQLSTATE_OUT_OF_RANGE
        or code in _MYSQL_OUT_OF_RANGE
        or code == _SQLITE_OUT_OF_RANGE
    )


def leave_standby(context: sa.engine.ExceptionContext) -> None:
    """Close all connections to a server that has become read-only.

    A listener for SQLAlchemy's ``handle_error``.
    """
    if _is_from_standby(context.original_exception):
        context.is_disconnect = True


def _is_from_standby(cause: BaseException) -> bool:
    code = cause.args[0] if cause.args else None
    return getattr(cause, "sqlstate", None) == _SQLSTATE_STANDBY or code in _MYSQL_STANDBY


def _raise_exit(error: BaseException) -> None:
    """Raise the exception that killed this green thread, if ``error`` only followed from it."""
    cause: BaseException | None = error
    while cause is not None:
        if not isinstance(cause, Exception | GeneratorExit):
            raise cause
        cause = cause.__cause__ or cause.__context__


def _translation(cause: BaseException, place: str, dbapi: Any) -> BaseException:
    """Return the error to raise in place of ``cause``; itself if it is a programming error."""
    if not isinstance(cause, dbapi.Error):
        return cause
    error_class, line = _CLASSIFIERS[_driver(dbapi)](cause, dbapi)
    if _is_from_standby(cause):
        line = f"the server is read-only; [database] connection must lead to the primary ({line})"
    return error_class(f"{place}: {line}")


def _driver(dbapi: Any) -> str:
    return str(dbapi.__name__).partition(".")[0]


def _sqlite(cause: Any, _dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    code = getattr(cause, "sqlite_errorname", None) or ""
    line = _line(cause)
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        line += "; this user needs write permission for the file and its folder"
    # Violated unique keys are not temporary: frames exist of a period that is not rated yet.
    return errors.TryLater if code.startswith(_SQLITE_TEMPORARY) else errors.HostError, line


def _postgresql(cause: Any, dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    state, line = cause.sqlstate or "", _line(cause)
    if state in _SQLSTATE_CONFLICT:
        return errors.LockConflict, line
    if state:
        temporary = state.startswith(_SQLSTATE_TEMPORARY)
        return errors.TryLater if temporary else errors.HostError, line
    text = " ".join(str(cause).split())
    connection_errors = (dbapi.OperationalError, dbapi.InterfaceError, dbapi.InternalError)
    if isinstance(cause, connection_errors) and not _POSTGRESQL_REFUSAL.search(text):
        return errors.TryLater, line
    return errors.HostError, line


def _mysql(cause: Any, _dbapi: Any) -> tuple[type[errors.RatekitError], str]:
    code = _mysql_code(cause)
    text = str(cause.args[1]) if len(cause.args) > 1 and cause.args[1] else "connection lost"
    line = f"{text.splitlines()[0]} ({code})" if code else _line(cause)
    if code in _MYSQL_CONFLICT:
        return errors.LockConflict, line
    return errors.TryLater if code in _MYSQL_TEMPORARY else errors.HostError, line


def _mysql_code(cause: Any) -> int:
    return cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0


_CLASSIFIERS: dict[str, Callable[[Any, Any], tuple[type[errors.RatekitError], str]]] = {
    "sqlite3": _sqlite,
    "psycopg": _postgresql,
    "pymysql": _mysql,
}


def _sqlite_reply(cause: Any) -> tuple[bool, bool]:
    code = getattr(cause, "sqlite_errorname", None) or ""
    return True, code.startswith(_SQLITE_UNKNOWN)


def _postgresql_reply(cause: Any) -> tuple[bool, bool]:
    state = cause.sqlstate or ""
    return bool(state), state.startswith(_SQLSTATE_UNKNOWN)


def _mysql_reply(cause: Any) -> tuple[bool, bool]:
    code = _mysql_code(cause)
    return code != 0 and code not in _MYSQL_CLIENT, code in _MYSQL_UNKNOWN


#: By driver: whether it replied to COMMIT, and whether the reply leaves the outcome open.
_COMMIT_REPLIES: dict[str, Callable[[Any], tuple[bool, bool]]] = {
    "sqlite3": _sqlite_reply,
    "psycopg": _postgresql_reply,
    "pymysql": _mysql_reply,
}


def _line(error: BaseException) -> str:
    """Return the first line of a message: other lines may quote rows or statements."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
