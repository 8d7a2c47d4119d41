import datetime
from decimal import Decimal

from ratekit.domain.rules.rule import CostType, MappingRule, RuleBook, RuleTarget, Terms
from ratekit.domain.series import Series
from ratekit.rating.noop import Noop


def test_noop_leaves_prices_alone_whatever_the_rules() -> None:
    rule = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(5), CostType.FLAT))
    price = Noop.from_conf(None).compile(RuleBook(1, (rule,)))
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    series = Series("p1", "cpu", "instance", {}, {}, [(begin, Decimal(3))])
    assert price(series, [Decimal("0.5")]) == [Decimal("0.5")]
