"""The price list: rating modules price one after another."""

from decimal import Decimal

from ratekit.domain.rules.rule import RuleBook
from ratekit.pricing.price_list import PriceList
from tests.builders import series
from tests.fakes import FakeModule


def test_modules_price_one_after_another_in_their_order() -> None:
    add_first = PriceList([FakeModule(2), FakeModule(5, times=10)], RuleBook(1, ()))
    assert set(add_first.prices(series(1, 1))) == {Decimal((0 + 2 + 5) * 10)}
    multiply_first = PriceList([FakeModule(5, times=10), FakeModule(2)], RuleBook(1, ()))
    assert set(multiply_first.prices(series(1, 1))) == {Decimal(5 * 10 + 2)}
