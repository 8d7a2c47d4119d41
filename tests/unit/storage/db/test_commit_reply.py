"""What an error of COMMIT tells about its outcome."""

from __future__ import annotations

import importlib
import sqlite3
from typing import Any

import psycopg
import pytest

from ratekit.storage.db.errors import NO_REPLY, commit_reply

#: It has no types.
pymysql: Any = importlib.import_module("pymysql")


def mysql(code: int) -> Any:
    """Return the driver's error of this code."""
    return pymysql.OperationalError(code, f"text of {code}")


def sqlite(name: str) -> sqlite3.Error:
    """Return the driver's error of this name."""
    error = sqlite3.OperationalError("text")
    error.sqlite_errorname = name
    return error


REFUSALS = [
    (mysql(1213), pymysql),
    (mysql(1205), pymysql),
    (mysql(1114), pymysql),
    (psycopg.errors.SerializationFailure("text"), psycopg),
    (psycopg.errors.DiskFull("text"), psycopg),
    (psycopg.errors.UniqueViolation("text"), psycopg),
    (sqlite("SQLITE_BUSY"), sqlite3),
    (sqlite("SQLITE_FULL"), sqlite3),
]
UNKNOWN = [
    (mysql(1180), pymysql),
    (mysql(1047), pymysql),
    (mysql(1317), pymysql),
    (psycopg.errors.AdminShutdown("text"), psycopg),
    (psycopg.errors.StatementCompletionUnknown("text"), psycopg),
    (sqlite("SQLITE_IOERR_WRITE"), sqlite3),
]
SILENCE = [
    (mysql(2013), pymysql),
    (pymysql.InterfaceError(0, ""), pymysql),
    (psycopg.OperationalError("server closed the connection unexpectedly"), psycopg),
]


@pytest.mark.parametrize(("error", "dbapi"), REFUSALS, ids=str)
def test_nothing_was_written(error: Any, dbapi: Any) -> None:
    reply = commit_reply(error, dbapi)
    assert reply.is_refusal
    assert "text" in reply.text


@pytest.mark.parametrize(("error", "dbapi"), UNKNOWN, ids=str)
def test_the_reply_does_not_tell_the_outcome_and_is_kept(error: Any, dbapi: Any) -> None:
    reply = commit_reply(error, dbapi)
    assert not reply.is_refusal
    assert reply.text.startswith("COMMIT failed: text")


@pytest.mark.parametrize(("error", "dbapi"), SILENCE, ids=str)
def test_there_was_no_reply(error: Any, dbapi: Any) -> None:
    assert commit_reply(error, dbapi) == (False, NO_REPLY)
