"""The clock of a database server, which runs on this host."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from ratekit import interfaces
from ratekit.storage.db.engine import parse
from tests.contract.conftest import Open

NO_TIME = datetime.timedelta(0)


def test_a_server_shows_its_time_and_a_file_has_none(url: str, open_another: Open) -> None:
    ledger = open_another().ledger
    assert isinstance(ledger, interfaces.ClockSource)
    reading = ledger.read_clock()
    if sa.make_url(url).get_backend_name() == "sqlite":
        assert reading is None
        return
    assert reading is not None
    assert reading.name == "the database"
    assert reading.lower <= NO_TIME <= reading.upper


def test_the_time_zone_of_the_server_changes_nothing(url: str, open_another: Open) -> None:
    engine = sa.create_engine(parse(url), isolation_level="AUTOCOMMIT")
    statements = {
        "postgresql": (
            f"ALTER DATABASE {engine.url.database} SET timezone TO 'Asia/Kathmandu'",
            f"ALTER DATABASE {engine.url.database} RESET timezone",
        ),
        "mysql": ("SET GLOBAL time_zone = '+05:45'", "SET GLOBAL time_zone = 'SYSTEM'"),
        "sqlite": ("SELECT 1", "SELECT 1"),
    }
    change, restore = statements[engine.dialect.name]
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(change)
        test_a_server_shows_its_time_and_a_file_has_none(url, open_another)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(restore)
        engine.dispose()
