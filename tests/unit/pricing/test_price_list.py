"""The price list: rating modules price one after another."""

from decimal import Decimal

import pytest

from ratekit.domain.rules.rule import CostType, MappingRule, RuleBook, RuleTarget, Terms
from ratekit.pricing.price_list import PriceList
from ratekit.rating.hashmap import Hashmap
from ratekit.rating.noop import Noop
from tests.builders import series
from tests.fakes import FakeModule


def test_modules_price_one_after_another_in_their_order() -> None:
    add_first = PriceList([FakeModule(2), FakeModule(5, times=10)], RuleBook(1, ()))
    assert set(add_first.prices(series(1, 1))) == {Decimal((0 + 2 + 5) * 10)}
    multiply_first = PriceList([FakeModule(5, times=10), FakeModule(2)], RuleBook(1, ()))
    assert set(multiply_first.prices(series(1, 1))) == {Decimal(5 * 10 + 2)}


def test_each_module_is_explained_with_the_price_before_it() -> None:
    rule = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(2), CostType.FLAT))
    modules = [FakeModule(5), Hashmap(), Noop()]
    explanation = PriceList(modules, RuleBook(7, (rule,))).explain(series(3))
    assert [
        (module.module, int(module.before), int(module.price)) for module in explanation.modules
    ] == [
        ("FakeModule", 0, 5),
        ("hashmap", 5, 11),
        ("noop", 11, 11),
    ]
    assert [module.groups and len(module.groups) for module in explanation.modules] == [None, 1, ()]
    assert (explanation.version, explanation.price) == (7, Decimal(11))


@pytest.mark.parametrize("quantities", [(), (1, 1)], ids=["no point", "two points"])
def test_only_a_series_with_one_point_is_explained(quantities: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one point"):
        PriceList([Hashmap()], RuleBook(1, ())).explain(series(*quantities))
