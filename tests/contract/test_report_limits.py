"""Reports whose statements may take only so long."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES, Page, Selection
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import Database, parse
from ratekit.storage.sql import open_storage
from tests.contract.given import batch, build_series, count_groups, list_scopes, window

ALL = Selection(scopes=ALL_SCOPES)
#: A query that ends long after any limit here, by dialect.
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) "
    "FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT sleep(60)",
}
#: A query that takes some milliseconds.
SHORT = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
    "SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(0.05)",
    "mysql": "SELECT sleep(0.05)",
}
#: What keeps readers from the totals, by dialect.
LOCKS = {
    "postgresql": "LOCK TABLE totals, daily_totals",
    "mysql": "LOCK TABLES totals WRITE, daily_totals WRITE",
}
HOURS = 500


def open_limited(url: str, seconds: float) -> Storage:
    """Open the storage with a limit for reports."""
    return open_storage(
        url,
        scope_key="project_id",
        fetcher="keystone",
        collector="gnocchi",
        statement_timeout=seconds,
    )


@contextlib.contextmanager
def locked_totals(url: str) -> Iterator[None]:
    """Keep readers from the totals; SQLite has no such lock."""
    engine = sa.create_engine(parse(url), poolclass=sa.pool.NullPool)
    lock = LOCKS.get(engine.dialect.name)
    with engine.connect() as connection:
        if lock is not None:
            connection.exec_driver_sql(lock)
        yield


def store(storage: Storage) -> None:
    """Store some thousand frames."""
    pairs = [("1", "0.5")] * HOURS
    series = [build_series("a", pairs, labels={"id": str(number)}) for number in range(10)]
    storage.ledger.commit(batch(list_scopes(storage, "a"), *series, periods=window(HOURS)))


def test_a_statement_of_a_report_ends_at_the_limit(storage: Storage, url: str) -> None:
    database = Database(url)
    with pytest.raises(errors.TooSlow) as caught, database.reading(0.2) as connection:
        connection.exec_driver_sql(ENDLESS[connection.dialect.name])
    assert isinstance(caught.value, errors.TryLater)
    assert str(caught.value) == (
        "the report took longer than 0.2 s: choose a shorter time range or fewer groups"
    )


def test_the_limit_is_only_that_of_the_report(storage: Storage, url: str) -> None:
    """The connection then serves others, which have no such limit."""
    database = Database(url)
    with contextlib.suppress(errors.TooSlow), database.reading(0.001) as connection:
        connection.exec_driver_sql(ENDLESS[connection.dialect.name])
    for work in (database.reading, database.writing):
        with work() as connection:
            connection.exec_driver_sql(SHORT[connection.dialect.name])
    assert database.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    database.close()


def test_each_report_has_the_limit(storage: Storage, url: str) -> None:
    store(storage)
    is_sqlite = url.startswith("sqlite")
    reports = open_limited(url, 0.001 if is_sqlite else 0.2).reports
    works: list[Callable[[], object]] = [
        lambda: list(reports.summary(ALL, ("id", "hour"), datetime.UTC)),
        lambda: list(reports.summary(ALL, ("scope", "hour"), datetime.UTC)),
        lambda: count_groups(reports, ALL, ("scope", "hour"), datetime.UTC),
        lambda: reports.count_frames(ALL),
        lambda: list(reports.frames(ALL)),
    ]
    with locked_totals(url):
        # On SQLite only the first is sure to take more than a millisecond.
        for work in works[:1] if is_sqlite else works:
            with pytest.raises(errors.TooSlow):
                work()


def test_a_report_within_the_limit_is_whole(storage: Storage, url: str) -> None:
    store(storage)
    reports = open_limited(url, 60).reports
    (row,) = reports.summary(ALL, ("id",), datetime.UTC, Page(3, 1))
    assert row.price == Decimal("0.5") * HOURS
    assert sum(1 for _ in reports.frames(ALL)) == 10 * HOURS == reports.count_frames(ALL)
    assert reports.scopes(ALL_SCOPES)[0].id == "a"


def test_other_errors_are_not_about_time(storage: Storage, url: str) -> None:
    with pytest.raises(errors.RatekitError) as caught, Database(url).reading(60) as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    assert not isinstance(caught.value, errors.TooSlow)
