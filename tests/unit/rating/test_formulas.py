"""Formulas are remembered, and that changes no price."""

import datetime
from collections.abc import Mapping
from decimal import Decimal

from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer
from ratekit.rating.hashmap import Hashmap

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def compile_rules(*rules: Rule) -> Pricer:
    return Hashmap().compile(RuleBook(1, rules))


def mapping(label: str, value: str | None, cost: str) -> MappingRule:
    return MappingRule(RuleTarget("cpu", label), value, Terms(Decimal(cost), CostType.FLAT, label))


def price(pricer: Pricer, labels: Mapping[str, str | None], day: int = 0) -> Decimal:
    series = Series("p1", "cpu", "", labels, {}, [(BEGIN + day * DAY, Decimal(1))])
    [result] = pricer(series, [Decimal(0)])
    return result


def test_usages_that_differ_in_what_no_rule_mentions_cost_the_same() -> None:
    pricer = compile_rules(mapping("flavor", "small", "2"))
    assert [price(pricer, {"flavor": "small", "id": str(id_)}) for id_ in range(3)] == [2, 2, 2]


def test_a_label_no_rule_mentions_and_no_label_are_the_same_but_null_is_not() -> None:
    pricer = compile_rules(mapping("flavor", None, "5"), mapping("flavor", "small", "2"))
    labels: list[dict[str, str | None]] = [
        {"flavor": "large"}, {}, {"flavor": None}, {"flavor": "small"}, {"flavor": "None"},
    ]  # fmt: skip
    assert [price(pricer, each) for each in labels] == [0, 0, 5, 2, 5]
    assert [price(pricer, each) for each in reversed(labels)] == [5, 2, 5, 0, 0]


def test_a_number_beside_a_threshold_is_not_taken_for_another() -> None:
    rate = Terms(Decimal(1), CostType.FLAT, None)
    pricer = compile_rules(
        *(ThresholdRule(RuleTarget("cpu", "vcpus"), Decimal(level), rate) for level in (2, 4)),
        MappingRule(RuleTarget("cpu"), None, Terms(Decimal(10), CostType.FLAT, None)),
    )
    assert [price(pricer, {"vcpus": text}) for text in ("1", "2", "x", "3", "2.0")] == [
        10, 11, 10, 11, 11,
    ]  # fmt: skip


def test_more_labels_and_days_than_are_remembered() -> None:
    pricer = compile_rules(
        *(mapping("flavor", f"flavor{number}", str(number)) for number in range(1500)),
        *(mapping("day_of_the_year", str(day), "0.5") for day in range(1, 100, 2)),
    )
    for _ in range(2):
        for number in range(1500):
            assert price(pricer, {"flavor": f"flavor{number}"}, day=1) == number
        for day in [*range(99), *range(98, -1, -1)]:
            expected = Decimal(7) + (Decimal("0.5") if day % 2 == 0 else 0)
            assert price(pricer, {"flavor": "flavor7"}, day) == expected
