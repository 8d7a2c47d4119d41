"""Purging under a daemon that catches up and reports that are read: whole programs, real kills."""

from __future__ import annotations

import collections
import contextlib
import datetime
import json
import pathlib
import threading
import zlib
from collections.abc import Iterator
from concurrent import futures
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit.storage.schema import FRAMES, PURGE_MARK, SCOPES, TOTALS
from tests.builders import HOUR
from tests.coordination.conftest import NewSite
from tests.coordination.gnocchi import Gnocchi
from tests.coordination.site import Site
from tests.daily_totals import find_wrong_days
from tests.faults.trial import wait_until

DAY = 24 * HOUR
#: More than [storage] retention allows at least, and some to remove.
DAYS = 80
#: The least.
RETENTION = 62
RULES = """\
services:
  cpu:
    mappings: [{cost: "0.07", type: flat}]
"""
PRICE = Decimal("0.07")


def usage(scope: str, begin: datetime.datetime) -> float:
    """Return the usage of a scope in an hour: a whole number, so that each differs from others."""
    return 1.0 + zlib.crc32(f"{scope} {begin.isoformat()}".encode()) % 1000


class Bills:
    """What a ledger without purge sums up, and what summaries of this one show.

    :ivar since: days from then on must be complete
    :ivar readings: number of summaries so far
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.since = site.begin
        self.readings = 0

    def _expected(self, scope: str, day: datetime.datetime, hours: int) -> Decimal:
        """Return the price of the first hours of a day."""
        begin = max(day, self._site.begin)
        amounts = (usage(scope, begin + number * HOUR) for number in range(hours))
        return PRICE * int(sum(amounts))

    def read(self) -> None:
        """Read a summary by scope and day; compare each row, and look for missing ones."""
        rated_before = self._site.rated_periods()
        words = f"--groupby scope,day --begin {self._site.begin:%Y-%m-%dT%H:%M} -f json".split()
        result = self._site.run("ratekit", "summary", *words)
        assert result.returncode == 0, result.stderr
        since = self.since
        hours: dict[str, int] = collections.Counter()
        for row in json.loads(result.stdout):
            day = datetime.datetime.fromisoformat(row["Day"]).astimezone(datetime.UTC)
            if day + DAY > since:
                price = self._expected(row["Scope"], day, row["Frames"])
                assert Decimal(row["Price"]) == price, (row, since)
                hours[row["Scope"]] += row["Frames"]
        for scope, periods in rated_before.items():
            assert hours[scope] >= periods - (since - self._site.begin) // HOUR, (scope, since)
        self.readings += 1

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read one summary after the other meanwhile."""
        end = threading.Event()

        def read_on() -> None:
            while not end.is_set():
                self.read()

        with futures.ThreadPoolExecutor(1) as executor:
            future = executor.submit(read_on)
            try:
                yield
            finally:
                end.set()
            future.result()


def count(site: Site, table: sa.Table, before: datetime.datetime) -> int:
    """Return the number of rows that begin before an instant."""
    query = sa.select(sa.func.count()).select_from(table).where(table.c.begin < before)
    return int(site.read(query)[0][0])


@contextlib.contextmanager
def hold_up(site: Site, table: sa.Table, before: datetime.datetime) -> Iterator[None]:
    """Lock old rows of a scope far back in the order of removal; wait until it is their turn.

    SQLite has no locks of rows.
    """
    rows = count(site, table, before)
    engine = sa.create_engine(site.url, poolclass=sa.NullPool)
    scope = sa.select(SCOPES.c.id).order_by(SCOPES.c.id).offset(len(site.scopes) * 9 // 10).limit(1)
    is_held = (table.c.scope_id == scope.scalar_subquery()) & (table.c.begin < before)
    activity = sa.table("pg_stat_activity", sa.column("wait_event_type"))
    waiting = sa.select(activity).where(activity.c.wait_event_type == "Lock")
    with engine.begin() as connection:
        if site.has_row_locks:
            connection.execute(sa.select(table.c.begin).where(is_held).with_for_update())
            assert wait_until(lambda: bool(site.read(waiting)))
        assert wait_until(lambda: count(site, table, before) < rows)
        yield
    engine.dispose()
    if site.has_row_locks:
        assert 0 < count(site, table, before) < rows


def purge_with_a_kill(
    site: Site, table: sa.Table, before: datetime.datetime, *options: str
) -> None:
    """Run ``ratekit-dbsync purge``, kill it in the middle of a table, and run it again."""
    arguments = ("purge", "--force", "--before", f"{before:%Y-%m-%d}", *options)
    with site.spawn("ratekit-dbsync", *arguments) as process, hold_up(site, table, before):
        process.kill()
    assert find_wrong_days(site.url) == []
    result = site.run("ratekit-dbsync", *arguments)
    assert (result.returncode, result.stderr) == (0, "")


def require_all_since(site: Site, since: datetime.datetime) -> None:
    """Require each frame and total once, with its quantity and price, and none before."""
    assert find_wrong_days(site.url) == []
    begins = [since + number * HOUR for number in range((site.horizon - since) // HOUR)]
    for table in (FRAMES, TOTALS):
        query = (
            sa.select(SCOPES.c.scope_id, table.c.begin, table.c.quantity, table.c.price)
            .join(table, table.c.scope_id == SCOPES.c.id)
            .where(table.c.begin < site.horizon)
        )
        rows = [tuple(row) for row in site.read(query)]
        expected = {
            (scope, begin, Decimal(usage(scope, begin)), PRICE * int(usage(scope, begin)))
            for scope in site.scopes
            for begin in begins
        }
        assert set(rows) == expected
        assert len(rows) == len(expected)


@pytest.fixture(params=["postgresql", "sqlite"])
def site(
    request: pytest.FixtureRequest, new_site: NewSite, gnocchi: Gnocchi, tmp_path: pathlib.Path
) -> Site:
    """A site with prices and usage that differs from hour to hour."""
    gnocchi.usage = usage
    site = new_site(scopes=40, periods=DAYS * 24, backend=request.param)
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    result = site.run("ratekit", "hashmap", "apply", str(rules), "--yes")
    assert result.returncode == 0, result.stderr
    return site


def test_no_bill_changes_while_a_purge_and_the_daemons_retention_are_killed_and_go_on(
    site: Site, gnocchi: Gnocchi
) -> None:
    bills = Bills(site)
    midnight = site.begin.replace(hour=0)
    first, second = midnight + 7 * DAY, midnight + 11 * DAY
    daemon = site.start("first", batch_frames=960)
    assert wait_until(lambda: len(site.rated_periods()) == len(site.scopes))
    assert wait_until(lambda: min(site.rated_periods().values()) >= (second - site.begin) // HOUR)
    # The rest takes longer than both purges.
    gnocchi.delay = 2.0
    with bills.reading():
        purge_with_a_kill(site, FRAMES, first, "--keep-totals")
        assert (count(site, FRAMES, first), count(site, TOTALS, first) > 0) == (0, True)
        bills.since = second
        purge_with_a_kill(site, TOTALS, second)
        assert not site.is_complete()
        gnocchi.delay = 0.0
        assert wait_until(site.is_complete)
    bills.read()
    require_all_since(site, second)
    daemon.terminate()
    assert daemon.wait() == 0

    site.storage = {"retention": RETENTION, "keep_totals": "false"}
    third = midnight + (DAYS - RETENTION) * DAY
    # Today may end meanwhile.
    bills.since = third + DAY
    with bills.reading():
        daemon = site.start("second")
        with hold_up(site, FRAMES, third):
            daemon.kill()
        daemon = site.start("third")
        assert wait_until(lambda: count(site, TOTALS, third) == 0)
    daemon.terminate()
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.log_text()
    bills.read()
    [(frames_until, totals_until)] = site.read(
        sa.select(PURGE_MARK.c.frames_until, PURGE_MARK.c.totals_until)
    )
    assert frames_until == totals_until
    assert totals_until in (third, third + DAY)
    require_all_since(site, totals_until)
    assert bills.readings > 2
