"""Reports of one snapshot agree while usage is rated, on every database."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES, EVERYTHING, Selection
from ratekit.interfaces import Reports, Storage
from ratekit.storage.db.engine import Database
from tests.contract.given import START, batch, build_series, hour, list_scopes, window
from tests.contract.test_report_limits import ENDLESS, SHORT

A = frozenset("a")
ALL = Selection(scopes=A)


def rate(storage: Storage, begin: int) -> None:
    """Rate an hour, at a price of 1."""
    series = build_series("a", [("1", "1")], begin=hour(begin), labels={"id": "x"})
    storage.ledger.commit(batch(list_scopes(storage, "a"), series, periods=window(1, hour(begin))))


def test_nothing_that_is_rated_meanwhile_is_in_it(storage: Storage) -> None:
    rate(storage, 0)
    with storage.reports.snapshot() as reports:
        first = _read_hours(reports)
        rate(storage, 1)
        with reports.snapshot() as same:
            assert set(_read_hours(same).values()) == set(first.values()) == {1}
        assert set(_read_hours(storage.reports).values()) == {2}
        assert _read_hours(reports) == first
    assert set(_read_hours(storage.reports).values()) == {2}


def _read_hours(reports: Reports) -> Mapping[str, float]:
    """Return how many hours each report knows of."""
    (row,) = reports.summary(ALL, ("id",), datetime.UTC)
    (total,) = reports.summary(ALL, (), datetime.UTC)
    (state,) = reports.scopes(ALL_SCOPES)
    span = reports.rated_spans(A, START, hour(9))["a"]
    return {
        "labels": row.points,
        "totals": total.points,
        "prices": float(reports.prices(START, hour(9), A)["a"]),
        "page": reports.summary_page(ALL, ("metric",), datetime.UTC, EVERYTHING).rows[0].points,
        "frames": len(list(reports.frames(ALL))),
        "count": reports.count_frames(ALL),
        "state": (state.rated_until - START) / datetime.timedelta(hours=1),
        "span": (span.rated_until - START) / datetime.timedelta(hours=1),
        "coverage": len(reports.coverage("a", START, hour(9)).points),
    }


def test_an_error_in_it_is_caught_where_it_is_raised(storage: Storage, url: str) -> None:
    rate(storage, 0)
    with storage.reports.snapshot() as reports:
        with pytest.raises(errors.TooManyGroups):
            reports.summary_page(ALL, ("id",), datetime.UTC, EVERYTHING, max_groups=0)
        with pytest.raises(errors.OperatorError):
            reports.coverage("nothing", START, hour(9))
        assert reports.count_frames(ALL) == 1


def test_a_statement_that_takes_too_long_ends_it(storage: Storage, url: str) -> None:
    database = Database(url)
    with database.reading(0.2) as connection:
        query = ENDLESS[connection.dialect.name]
        with pytest.raises(errors.TooSlow), database.reading_on(connection, 0.2) as same:
            same.exec_driver_sql(query)
    # The connection serves others.
    with database.reading() as connection:
        connection.exec_driver_sql(SHORT[connection.dialect.name])
    assert database.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    database.close()
