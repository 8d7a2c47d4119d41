"""A quantity or a price that is too large stops nothing but its own periods."""

from decimal import Decimal

import pytest

from ratekit.domain.rules.rule import CostType, MappingRule, RuleBook, RuleTarget, Terms
from ratekit.domain.series import RatedSeries
from ratekit.pricing.price_list import PriceList
from ratekit.processing.storable import StorableUsage
from ratekit.rating.hashmap import Hashmap
from tests.builders import HOUR, MONTH, series


def price_list(cost: str) -> PriceList:
    rule = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(cost), CostType.FLAT))
    return PriceList([Hashmap()], RuleBook(1, (rule,)))


def points(rated: list[RatedSeries]) -> dict[str, list[tuple[int, object]]]:
    results: dict[str, list[tuple[int, object]]] = {}
    for series_ in rated:
        for (begin, _), price in zip(series_.series.points, series_.prices, strict=True):
            results.setdefault(series_.series.scope, []).append(((begin - MONTH) // HOUR, price))
    return results


@pytest.mark.parametrize("huge", ["1e30", "-1e30", "1e300", "1e1999"])
def test_only_the_periods_with_a_large_quantity_are_left_out(huge: str) -> None:
    usage = [series("1", huge, "3", scope="a"), series("5", scope="b")]
    rated, [exclusion] = StorableUsage().price(usage, price_list("2"))
    assert points(rated) == {"a": [(0, 2), (2, 6)], "b": [(0, 10)]}
    assert (exclusion.scope, exclusion.metric) == ("a", "cpu")


def test_a_price_that_is_too_large_is_left_out_too(caplog: pytest.LogCaptureFixture) -> None:
    storable = StorableUsage()
    for _ in range(2):
        rated, [exclusion] = storable.price([series("1e20", "1e9")], price_list("1e11"))
        assert points(rated) == {"a": [(1, Decimal("1e20"))]}
    [message] = caplog.messages
    assert "excluded from rating and not charged: project_id=a" in message
    assert exclusion.reason == "its quantity or price is not below 1e+30"


def test_windows_change_nothing() -> None:
    usage = series("1", "1e31", "3")
    whole, _ = StorableUsage().price([usage], price_list("2"))
    single: list[RatedSeries] = []
    for number, (_, quantity) in enumerate(usage.points):
        hour = series(quantity, begin=MONTH + number * HOUR)
        single += StorableUsage().price([hour], price_list("2"))[0]
    assert points(whole) == points(single)


def test_what_fits_is_priced_as_one_series() -> None:
    usage = series("1", "2", "999999999999999999999999999999")
    rated, exclusions = StorableUsage().price([usage], price_list("1"))
    assert [series_.series for series_ in rated] == [usage]
    assert exclusions == []
