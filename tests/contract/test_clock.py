"""The clock of a database server, which runs on this host."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ratekit import interfaces
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.storage.db.engine import parse
from tests.contract.conftest import Open
from tests.databases import SERVERS

NO_TIME = datetime.timedelta(0)
#: Statements that set the time zone of new sessions and take it back, and one that shows it.
ZONES = {
    "postgresql": (
        "ALTER DATABASE {database} SET timezone TO 'Asia/Kathmandu'",
        "ALTER DATABASE {database} RESET timezone",
        "SELECT to_char(now(), 'OF')",
    ),
    "mysql": (
        "SET GLOBAL time_zone = '+05:45'",
        "SET GLOBAL time_zone = 'SYSTEM'",
        "SELECT @@session.time_zone",
    ),
}


def read_clock(open_another: Open) -> ClockReading | None:
    """Read the clock by sessions of its own, as another process would."""
    ledger = open_another().ledger
    assert isinstance(ledger, interfaces.ClockSource)
    return ledger.read_clock()


def assert_same_clock(reading: ClockReading | None) -> None:
    """Fail unless the server has the time of this host."""
    assert reading is not None
    assert reading.name == "the database"
    assert reading.lower <= NO_TIME <= reading.upper


@contextlib.contextmanager
def eastern_server(url: str) -> Iterator[str]:
    """Move the server's time zone for new sessions; yield the offset that these have."""
    engine = sa.create_engine(parse(url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    change, restore, show = (
        statement.format(database=engine.url.database) for statement in ZONES[engine.dialect.name]
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(change)
        with engine.connect() as connection:
            offset = str(connection.exec_driver_sql(show).scalar_one())
        yield offset
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(restore)


def test_a_server_shows_its_time_and_a_file_has_none(url: str, open_another: Open) -> None:
    reading = read_clock(open_another)
    if sa.make_url(url).get_backend_name() == "sqlite":
        assert reading is None
    else:
        assert_same_clock(reading)


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_the_time_zone_of_the_server_changes_nothing(url: str, open_another: Open) -> None:
    with eastern_server(url) as offset:
        assert offset == "+05:45"
        assert_same_clock(read_clock(open_another))
