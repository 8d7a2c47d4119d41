"""What a process full of green threads does to a database; run by test_green_threads.py.

    python -m tests.contract.green_script CHECK URL

Prints one word: ``yes``, or what is wrong.
"""

from __future__ import annotations

# ruff: noqa: E402 -- first of all, as in the processor
import eventlet

eventlet.monkey_patch()

import contextlib
import functools
import logging
import sys
from collections.abc import Callable

from eventlet.support import greenlets as greenlet

from ratekit.interfaces import Storage
from ratekit.storage.db.engine import Database
from ratekit.storage.sql import open_storage
from tests.contract.given import (
    Breaking,
    batch,
    build_breaking_series,
    build_series,
    list_scopes,
    read_frames,
)

SLEEP = {"postgresql": "SELECT pg_sleep(1)", "mysql": "SELECT SLEEP(1)"}

#: Frames of a commit that takes a while.
MANY = 1000


def run_others_while_waiting(url: str) -> str:
    """Wait for the database in one green thread, and count in another."""
    database = Database(url)
    if database.engine.dialect.name == "sqlite":
        wait = functools.partial(wait_for_the_file, database)
    else:
        wait = functools.partial(wait_for_an_answer, database)
    waiting = eventlet.spawn(wait)
    beats = 0
    while not waiting.dead:
        eventlet.sleep(0.01)
        beats += 1
    waiting.wait()
    return "yes" if beats > 3 else f"only {beats} beats"


def wait_for_an_answer(database: Database) -> None:
    """Ask a server something that takes a second."""
    with database.reading() as connection:
        connection.exec_driver_sql(SLEEP[database.engine.dialect.name]).scalar()


def wait_for_the_file(database: Database) -> None:
    """Want to write while another green thread does."""

    def keep() -> None:
        with database.writing():
            eventlet.sleep(1)

    eventlet.spawn(keep)
    eventlet.sleep(0)
    with database.writing():
        pass


class Waiting(Breaking):
    """Points that let other green threads run in the middle of a transaction."""

    def interrupt(self) -> None:
        """Wait for the other to kill us."""
        eventlet.sleep(1)


def kill_in_transaction(url: str) -> str:
    """Kill green threads in a statement, between statements, and at every moment of a commit."""
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    states = list_scopes(storage, "a", "b")
    series = build_series("a", [("1", "1")])
    database = Database(url)
    works: list[Callable[[], object]] = [
        functools.partial(
            storage.ledger.commit, batch(states, build_breaking_series(series, Waiting))
        )
    ]
    if database.engine.dialect.name != "sqlite":
        works.append(functools.partial(wait_for_an_answer, database))
    if not all(kill(work, 0.1) for work in works):
        return "a green thread was not killed"
    if read_frames(storage):
        return "frames were left"
    whole = [build_series("b", [("1", "1")], labels={"id": str(number)}) for number in range(MANY)]
    for number in range(60):
        commit = functools.partial(storage.ledger.commit, batch(states[1:], *whole))
        kill(commit, 0.001 * 1.15**number)
        if frames := len(read_frames(storage)):
            return sound(storage, database) if frames == MANY else f"{frames} frames were left"
    return "no commit came to its end"


def kill(work: Callable[[], object], after: float) -> bool:
    """Kill a green thread; tell whether it had not ended by itself."""
    running = eventlet.spawn(work)
    eventlet.sleep(after)
    early = not running.dead
    running.kill()
    with contextlib.suppress(greenlet.GreenletExit):
        running.wait()
    return early


def sound(storage: Storage, database: Database) -> str:
    """Look whether connections serve the next."""
    for _ in range(12):
        with database.writing() as connection:
            if connection.exec_driver_sql("SELECT 1").scalar() != 1:
                return "the reply to another statement"
    states = list_scopes(storage, "a")
    result = storage.ledger.commit(batch(states, build_series("a", [("1", "1")])))
    pool = database.engine.pool
    checked_out = pool.checkedout()  # type: ignore[attr-defined]
    if checked_out:
        return f"{checked_out} connections are gone"
    return (
        "yes"
        if result.frames == 1 and len(read_frames(storage)) == MANY + 1
        else "frames are missing"
    )


if __name__ == "__main__":
    # They log what a kill has interrupted, and give the connection up: as they should.
    for library in ("sqlalchemy.pool", "psycopg"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    checks = (run_others_while_waiting, kill_in_transaction)
    ask = {check.__name__: check for check in checks}[sys.argv[1]]
    print(ask(sys.argv[2]))
