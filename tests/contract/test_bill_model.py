"""The read model of bills on every database: equal to summaries, to the digit; and months."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit.admin.bill import MonthComparison, read_bill, read_month
from ratekit.admin.bill.sums import Sums
from ratekit.domain.purge import PurgeMark
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection, SummaryRow
from ratekit.interfaces import Storage
from tests.contract.given import START, batch, build_series, hour, list_scopes, window

UTC = datetime.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
KATHMANDU = zoneinfo.ZoneInfo("Asia/Kathmandu")
NOTHING_PURGED = PurgeMark()
PRICES = st.decimals(-1000, 1000, places=28)
HOURS = 60


def whole(scopes: Sequence[str] | None = None) -> Selection:
    chosen = ALL_SCOPES if scopes is None else frozenset(scopes)
    return Selection(START, hour(HOURS), scopes=chosen)


@pytest.mark.parametrize("zone", [UTC, BERLIN, KATHMANDU], ids=str)
class TestEqualToSummary:
    @settings(
        max_examples=5,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(costs=st.lists(PRICES, min_size=HOURS, max_size=HOURS))
    def test_any_prices(
        self, zone: datetime.tzinfo, storage: Storage, costs: list[Decimal]
    ) -> None:
        name = f"p{hash(tuple(costs))}"
        storage.ledger.commit(
            batch(
                list_scopes(storage, name),
                build_series(name, [("1.5", str(cost)) for cost in costs], labels={"id": "vm"}),
                build_series(
                    name,
                    [("3", str(cost)) for cost in reversed(costs)],
                    metric="volume",
                    unit="GiB",
                    labels={"id": "disk"},
                ),
                periods=window(HOURS),
                metrics=("instance", "volume"),
            )
        )
        selection = whole([name])
        bill = read_bill(storage.reports, selection, zone)
        [total] = storage.reports.summary(selection, (), zone)
        assert (bill.total, bill.points) == (total.price, total.points)
        metrics = {
            row.group["metric"]: row
            for row in storage.reports.summary(selection, ("metric",), zone)
        }
        assert {
            charge.metric: (charge.quantity, charge.unit, charge.price) for charge in bill.metrics
        } == {name: (row.quantity, row.unit, row.price) for name, row in metrics.items()}
        days = {
            row.group["day"]: row.price
            for row in storage.reports.summary(selection, ("day",), zone)
        }
        assert dict(zip(bill.starts, bill.totals, strict=True)) == days
        assert bill.resources is not None
        assert add_up(resource.price for resource in bill.resources) == bill.total


class TestBill:
    def test_the_dearest_is_first(self, storage: Storage) -> None:
        storage.ledger.commit(
            batch(
                list_scopes(storage, "a", "b"),
                build_series("a", [("1", "1")], labels={"id": "cheap"}),
                build_series("a", [("1", "5")], labels={"id": "vm"}),
                build_series("a", [("2", "4")], metric="cpu", unit="core", labels={"id": "vm"}),
                build_series("b", [("1", "2")], labels={"id": "vm"}),
                build_series("b", [("1", "3")]),
            )
        )
        bill = read_bill(storage.reports, whole(), UTC, resources=3)
        assert bill.resources is not None
        assert [(row.id, list(row.prices), row.price) for row in bill.resources] == [
            ("vm", ["cpu", "instance"], Decimal(11)),
            (None, ["instance"], Decimal(3)),
            ("cheap", ["instance"], Decimal(1)),
        ]
        assert [charge.metric for charge in bill.metrics] == ["instance", "cpu"]
        assert list(bill.prices) == ["instance", "cpu"]

    def test_nobody_gets_the_bill_of_another(self, storage: Storage) -> None:
        storage.ledger.commit(
            batch(
                list_scopes(storage, "a", "b"),
                build_series("a", [("1", "1")], labels={"id": "x"}),
                build_series("b", [("1", "2")], labels={"id": "x"}),
            )
        )
        bill = read_bill(storage.reports, whole(["a"]), UTC)
        assert bill.total == 1
        assert bill.resources is not None
        assert [row.price for row in bill.resources] == [Decimal(1)]
        nothing = read_bill(storage.reports, whole([]), UTC)
        assert nothing.total == 0
        assert not nothing.metrics
        assert nothing.rated_until is None

    def test_days_without_usage_are_zero(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        storage.ledger.commit(
            batch(states, build_series("a", [("1", "1")], begin=hour(30)), periods=window(31))
        )
        bill = read_bill(storage.reports, whole(), UTC)
        assert [*bill.prices["instance"]] == [Decimal(0), Decimal(1), Decimal(0)]
        assert bill.starts == [hour(0), hour(24), hour(48)]

    def test_the_slowest_scope_says_how_far_the_bill_goes(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", "b")
        storage.ledger.commit(batch(states, build_series("a", [("1", "1")])))
        storage.ledger.commit(batch(list_scopes(storage, "a", "b")[:1], periods=window(5, hour(1))))
        assert read_bill(storage.reports, whole(), UTC).rated_until == hour(1)
        assert read_bill(storage.reports, whole(["a"]), UTC).rated_until == hour(6)

    def test_a_project_that_is_gone_holds_nothing_up(self, storage: Storage) -> None:
        storage.ledger.commit(batch(list_scopes(storage, "a", "b"), periods=window(4)))
        storage.scopes.deactivate("b", hour(4))
        storage.ledger.commit(batch(list_scopes(storage, "a"), periods=window(4, hour(4))))
        assert read_bill(storage.reports, whole(), UTC).rated_until == hour(8)
        assert read_bill(storage.reports, whole(["b"]), UTC).rated_until == hour(4)


def test_units_that_change_have_no_quantity() -> None:
    # One metric in two units: a summary has no quantity either.
    sums = Sums()
    for number, unit in enumerate(("GiB", "MiB")):
        day = hour(24 * number)
        sums.add(
            SummaryRow({"metric": "volume", "day": day}, 1, Decimal(2), unit, Decimal(3)), "day"
        )
    [charge] = sums.metrics()
    assert (charge.quantity, charge.unit, charge.price) == (None, None, Decimal(6))


def fill(storage: Storage, begin: datetime.datetime, end: datetime.datetime, cost: str) -> None:
    """Rate each hour of a project ``a`` at the same price."""
    count = (end - begin) // datetime.timedelta(hours=1)
    states = list_scopes(storage, "a", start=begin, resume=begin)
    series = build_series("a", [("1", cost)] * count, begin=begin)
    storage.ledger.commit(batch(states, series, periods=window(count, begin)))


def compare(
    storage: Storage, now: datetime.datetime, zone: datetime.tzinfo = UTC
) -> MonthComparison:
    return read_month(storage.reports, frozenset({"a"}), zone, now, NOTHING_PURGED)


def amounts(*numbers: int) -> list[Decimal | None]:
    return [Decimal(number) for number in numbers]


def local(zone: datetime.tzinfo, *numbers: int) -> datetime.datetime:
    return datetime.datetime(*numbers, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type, misc]


class TestMonth:
    @pytest.mark.parametrize(
        ("year", "month", "days"), [(2026, 2, 28), (2028, 2, 29), (2026, 4, 30), (2026, 5, 31)]
    )
    def test_a_steady_month_ends_at_its_hours(
        self, storage: Storage, year: int, month: int, days: int
    ) -> None:
        begin = local(UTC, year, month, 1)
        fill(storage, begin, begin + datetime.timedelta(days=10), "0.25")
        month_now = compare(storage, begin + datetime.timedelta(days=10))
        assert month_now.forecast == Decimal("0.25") * 24 * days
        assert month_now.so_far == month_now.to_point == 60
        assert (month_now.last_total, month_now.last_to_point) == (None, None)

    @pytest.mark.parametrize(("month", "hours"), [(3, 743), (10, 745)])
    def test_a_month_in_which_clocks_change_has_its_own_length(
        self, storage: Storage, month: int, hours: int
    ) -> None:
        begin, end = local(BERLIN, 2026, month, 1), local(BERLIN, 2026, month + 1, 1)
        fill(storage, begin, end - datetime.timedelta(hours=12), "1")
        assert compare(storage, end - datetime.timedelta(hours=11), BERLIN).forecast == hours

    def test_the_first_hour_of_a_month_forecasts_nothing(self, storage: Storage) -> None:
        begin = local(BERLIN, 2026, 6, 1)
        fill(storage, begin - datetime.timedelta(days=31), begin + datetime.timedelta(hours=1), "2")
        month = compare(storage, begin + datetime.timedelta(minutes=90), BERLIN)
        assert month.begin == begin
        assert month.until == begin + datetime.timedelta(hours=1)
        assert [month.so_far, month.last_to_point, month.last_total] == amounts(2, 2, 2 * 744)
        assert month.forecast is None

    def test_nothing_rated_of_this_month_compares_nothing(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 6, 1)
        fill(storage, begin - datetime.timedelta(days=3), begin, "2")
        month = compare(storage, begin + datetime.timedelta(hours=3))
        assert month.so_far == 0
        assert [month.until, month.forecast, month.last_to_point] == [None] * 3
        assert month.last_total == 144

    def test_a_project_that_never_was_rated_has_no_month(self, storage: Storage) -> None:
        month = read_month(storage.reports, frozenset({"x"}), UTC, hour(100), NOTHING_PURGED)
        assert month.so_far == 0
        assert [month.until, month.last_total, month.forecast] == [None] * 3

    def test_only_what_is_rated_everywhere_is_compared(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 6, 1)
        day = datetime.timedelta(days=1)
        fill(storage, begin - 31 * day, begin + 4 * day, "1")
        list_scopes(storage, "a", "b", start=begin + 2 * day, resume=begin)
        month = read_month(storage.reports, ALL_SCOPES, UTC, begin + 5 * day, NOTHING_PURGED)
        assert month.until == begin + 2 * day
        assert [month.so_far, month.to_point, month.last_to_point] == amounts(96, 48, 48)
        assert month.forecast == 30 * 24

    def test_the_same_point_of_a_shorter_month_is_its_end(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 2, 1)
        fill(storage, begin, local(UTC, 2026, 3, 30), "1")
        month = compare(storage, local(UTC, 2026, 3, 30))
        assert month.last_to_point == month.last_total == 28 * 24
        assert month.to_point == 29 * 24

    def test_the_same_point_is_by_the_clock(self, storage: Storage) -> None:
        # Berlin's clocks went forward on 2026-03-29.
        begin, noon = local(BERLIN, 2026, 3, 1), local(BERLIN, 2026, 4, 30, 12)
        fill(storage, begin, noon, "1")
        month = compare(storage, noon, BERLIN)
        assert month.to_point == 29 * 24 + 12
        assert month.last_to_point == 29 * 24 + 12 - 1

    def test_a_rate_is_that_of_the_last_week(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 4, 1)
        day = datetime.timedelta(days=1)
        fill(storage, begin, begin + 10 * day, "0")
        states = list_scopes(storage, "a")
        series = build_series("a", [("1", "1")] * 240, begin=begin + 10 * day)
        storage.ledger.commit(batch(states, series, periods=window(240, begin + 10 * day)))
        assert compare(storage, begin + 20 * day).forecast == 20 * 24

    def test_a_rate_is_of_no_time_before_the_first_usage(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 4, 28)
        fill(storage, begin, begin + datetime.timedelta(hours=36), "1")
        month = compare(storage, begin + datetime.timedelta(hours=36))
        assert month.rate_begin == begin
        assert month.forecast == 3 * 24

    def test_usage_of_less_than_a_day_forecasts_nothing(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 4, 20)
        fill(storage, begin, begin + datetime.timedelta(hours=23), "1")
        assert compare(storage, begin + datetime.timedelta(hours=23)).forecast is None

    @pytest.mark.parametrize("hours", [-1, 0, 1])
    def test_a_last_month_that_was_purged_is_none(self, storage: Storage, hours: int) -> None:
        begin = local(UTC, 2026, 6, 1)
        fill(storage, local(UTC, 2026, 5, 1), begin + datetime.timedelta(days=2), "1")
        mark = local(UTC, 2026, 5, 1) + datetime.timedelta(hours=hours)
        month = read_month(
            storage.reports,
            frozenset({"a"}),
            UTC,
            begin + datetime.timedelta(days=2),
            PurgeMark(mark, mark),
        )
        expected = None if hours > 0 else Decimal(744)
        assert month.last_total == expected
        assert month.to_point == 48

    def test_a_forecast_is_rounded_once(self, storage: Storage) -> None:
        begin = local(UTC, 2026, 4, 1)
        fill(storage, begin, begin + datetime.timedelta(hours=24), "0")
        states = list_scopes(storage, "a")
        series = build_series("a", [("1", "1e-28")], begin=begin + datetime.timedelta(hours=24))
        storage.ledger.commit(batch(states, series, periods=window(1, series.series.points[0][0])))
        # One unit in 25 hours, and 695 hours to go: 1 + 27.8.
        forecast = compare(storage, begin + datetime.timedelta(hours=25)).forecast
        assert forecast == Decimal("29e-28")
