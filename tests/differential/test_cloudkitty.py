"""ratekit's prices equal CloudKitty's to 28 places, wherever CloudKitty has a price."""

from __future__ import annotations

import decimal
import json
import os
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from ratekit.collectors.gnocchi.api import formats
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
from ratekit.rating.hashmap import Hashmap
from tests.differential import differences, features, random_cases
from tests.differential.cloudkitty_client import Cloudkitty
from tests.differential.random_cases import BASE, Case

#: Cases in one run of the comparison.
CASES = 2_000
#: The full tests compare 100,000 cases.
RUNS = 50 if os.environ.get("RATEKIT_TEST_FULL") == "1" else 1

THOROUGH = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    # Every run has different cases, and the same cases each time.
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_WIDE = decimal.Context(prec=4000, Emin=-999999, Emax=999999, traps=[decimal.InvalidOperation])


def round_price(price: Decimal | str) -> Decimal | str:
    """Return CloudKitty's price rounded as ratekit stores it."""
    if isinstance(price, str):
        return price
    return price.quantize(Decimal("1e-28"), decimal.ROUND_HALF_EVEN, _WIDE)


def ratekit_prices(
    rules: Sequence[Rule], series: Series, before: Decimal = Decimal(0)
) -> list[Decimal]:
    """Return ratekit's prices."""
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    return list(pricer(series, [before] * len(series.points)))


@pytest.mark.parametrize("run", range(RUNS))
def test_prices_are_cloudkittys(run: int, cloudkitty: Cloudkitty) -> None:
    tally: Counter[str] = Counter()

    @seed(run)
    @THOROUGH
    @given(random_cases.cases())
    def compare(case: Case) -> None:
        tally["cases"] += 1
        for series in case.series:
            adapted = differences.adapt(case.rules, series)
            [expected] = cloudkitty.prices(adapted.rules, [adapted.series], case.before)
            prices = ratekit_prices(case.rules, series, case.before)
            assert prices == [round_price(price) for price in expected], sorted(adapted.reasons)
            tally["usages"] += len(prices)
            tally["usages with a price"] += sum(price != case.before for price in prices)
            tally.update(f"difference: {reason}" for reason in adapted.reasons)
            for point in series.points:
                tally.update(features.find_features(case.rules, series, point))

    compare()
    for name, count in sorted(tally.items()):
        print(f"{count:8} {name}")
    # A comparison of cases without matching rules would show nothing.
    assert tally["cases"] >= CASES
    assert tally["usages with a price"] > tally["usages"] / 2
    assert {name for name in features.EXPECTED if tally[name] < CASES / 100} == set()


@seed(0)
@settings(THOROUGH, max_examples=10)
@given(random_cases.cases(storable=True))
def test_cloudkitty_prices_rules_in_memory_as_rules_in_its_database(
    cloudkitty: Cloudkitty, case: Case
) -> None:
    for series in case.series:
        adapted = differences.adapt(case.rules, series)
        expected = cloudkitty.prices(adapted.rules, [adapted.series], stored=True)
        assert cloudkitty.prices(adapted.rules, [adapted.series]) == expected
        assert [ratekit_prices(case.rules, series)] == expected


# Deliberate differences --------------------------------------------------------------

VCPUS = RuleTarget("instance", "vcpus")


def flat(cost: int, group: str | None = None) -> Terms:
    return Terms(Decimal(cost), CostType.FLAT, group)


def usage(**labels: str | None) -> Series:
    return Series("p1", "instance", "instance", labels, {}, [(BASE, Decimal(1))])


def both_prices(
    cloudkitty: Cloudkitty, rules: Sequence[Rule], series: Series
) -> tuple[object, object]:
    """Return CloudKitty's and ratekit's price of one usage."""
    [[expected]] = cloudkitty.prices(rules, [series])
    [price] = ratekit_prices(rules, series)
    return expected, price


@pytest.mark.parametrize(
    ("label", "cloudkitty_price"),
    [
        (None, "TypeError"),
        ("", "InvalidOperation"),
        ("four", "InvalidOperation"),
        ("NaN", "InvalidOperation"),
        ("Infinity", Decimal(1)),
        (" 2 ", Decimal(1)),
        ("3\n", Decimal(1)),
        ("1_0", Decimal(1)),
        ("\u0663", Decimal(1)),
        ("1e1000", Decimal(1)),
        ("-Infinity", Decimal(0)),
    ],
)
def test_a_label_that_is_not_a_plain_decimal_number_matches_no_threshold(
    label: str | None, cloudkitty_price: object, cloudkitty: Cloudkitty
) -> None:
    rules = [ThresholdRule(VCPUS, Decimal(2), flat(1))]
    assert both_prices(cloudkitty, rules, usage(vcpus=label)) == (cloudkitty_price, 0)


def test_a_null_label_is_the_word_none(cloudkitty: Cloudkitty) -> None:
    rules = [MappingRule(VCPUS, None, flat(1)), MappingRule(VCPUS, "", flat(2))]
    assert both_prices(cloudkitty, rules, usage(vcpus=None)) == (1, 1)
    assert both_prices(cloudkitty, rules, usage(vcpus="None")) == (1, 1)
    assert both_prices(cloudkitty, rules, usage()) == (0, 0)


@pytest.mark.parametrize("number", [1e16, 1.5e300, 1e-7, 10.0, 10, 2.5, True])
def test_a_label_that_is_a_number_has_the_text_of_cloudkitty(
    number: float, cloudkitty: Cloudkitty
) -> None:
    """CloudKitty receives the number itself, and ratekit what its collector makes of it."""
    parsed = json.loads(json.dumps(number), parse_float=Decimal, parse_int=Decimal)
    rules = [MappingRule(VCPUS, str(number), flat(1))]
    raw = usage(vcpus=number)  # type: ignore[arg-type]
    [[expected]] = cloudkitty.prices(rules, [raw])
    [price] = ratekit_prices(rules, usage(vcpus=formats.label(parsed)))
    prices: tuple[object, object] = (expected, price)
    assert prices == (1, 1)


def test_an_empty_value_matches_an_empty_label(cloudkitty: Cloudkitty) -> None:
    rules = [MappingRule(VCPUS, "", flat(1))]
    assert both_prices(cloudkitty, rules, usage(vcpus="")) == (0, 1)


def test_rules_without_a_group_are_not_in_a_group_named_default(
    cloudkitty: Cloudkitty,
) -> None:
    rules = [
        MappingRule(VCPUS, "4", flat(1)),
        MappingRule(RuleTarget("instance"), None, flat(2, "_DEFAULT_")),
    ]
    assert both_prices(cloudkitty, rules, usage(vcpus="4")) == (2, 3)


@pytest.mark.parametrize("level", ["-1e-8", "-1", "-2"])
def test_there_are_no_levels_below_zero(level: str) -> None:
    """CloudKitty accepts them, but ignores levels of -1 and below."""
    with pytest.raises(ValueError, match="at least 0"):
        ThresholdRule(VCPUS, Decimal(level), flat(1))
