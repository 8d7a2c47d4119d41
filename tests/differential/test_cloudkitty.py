"""ratekit's prices are CloudKitty's, to the last of 28 places, wherever CloudKitty has one."""

from __future__ import annotations

import decimal
import os
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

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
from tests.differential import drawing, features, intended
from tests.differential.drawing import BASE, Case
from tests.differential.peer import Cloudkitty

#: Rule sets that one run of the comparison draws.
CASES = 2_000
#: The long profile makes 100,000.
RUNS = 50 if os.environ.get("RATEKIT_TEST_FULL") == "1" else 1

THOROUGH = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    # Each run draws other cases than the others, and the same each time.
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_WIDE = decimal.Context(prec=4000, Emin=-999999, Emax=999999, traps=[decimal.InvalidOperation])


def rounded(price: Decimal | str) -> Decimal | str:
    """CloudKitty's price as ratekit stores it."""
    if isinstance(price, str):
        return price
    return price.quantize(Decimal("1e-28"), decimal.ROUND_HALF_EVEN, _WIDE)


def priced(rules: Sequence[Rule], series: Series, before: Decimal = Decimal(0)) -> list[Decimal]:
    """ratekit's prices."""
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    return list(pricer(series, [before] * len(series.points)))


@pytest.mark.parametrize("run", range(RUNS))
def test_prices_are_cloudkittys(run: int, cloudkitty: Cloudkitty) -> None:
    tally: Counter[str] = Counter()

    @seed(run)
    @THOROUGH
    @given(drawing.cases())
    def compare(case: Case) -> None:
        tally["cases"] += 1
        for series in case.series:
            asked = intended.question(case.rules, series)
            [expected] = cloudkitty.prices(asked.rules, [asked.series], case.before)
            found = priced(case.rules, series, case.before)
            assert found == [rounded(price) for price in expected], sorted(asked.reasons)
            tally["usages"] += len(found)
            tally["usages with a price"] += sum(price != case.before for price in found)
            tally.update(f"intended: {reason}" for reason in asked.reasons)
            for point in series.points:
                tally.update(features.features(case.rules, series, point))

    compare()
    for name, count in sorted(tally.items()):
        print(f"{count:8} {name}")
    # A comparison of cases in which nothing happens would prove nothing.
    assert tally["cases"] >= CASES
    assert tally["usages with a price"] > tally["usages"] / 2
    assert {name for name in features.EXPECTED if tally[name] < CASES / 100} == set()


@seed(0)
@settings(THOROUGH, max_examples=10)
@given(drawing.cases(storable=True))
def test_rules_in_memory_are_to_cloudkitty_what_rules_in_its_own_database_are(
    cloudkitty: Cloudkitty, case: Case
) -> None:
    for series in case.series:
        asked = intended.question(case.rules, series)
        expected = cloudkitty.prices(asked.rules, [asked.series], stored=True)
        assert cloudkitty.prices(asked.rules, [asked.series]) == expected
        assert [priced(case.rules, series)] == expected


# Where CloudKitty is not followed ---------------------------------------------------------

VCPUS = RuleTarget("instance", "vcpus")


def flat(cost: int, group: str | None = None) -> Terms:
    return Terms(Decimal(cost), CostType.FLAT, group)


def usage(**labels: str | None) -> Series:
    return Series("p1", "instance", "instance", labels, {}, [(BASE, Decimal(1))])


def both(cloudkitty: Cloudkitty, rules: Sequence[Rule], series: Series) -> tuple[object, object]:
    """What CloudKitty and ratekit say about one usage."""
    [[theirs]] = cloudkitty.prices(rules, [series])
    [ours] = priced(rules, series)
    return theirs, ours


@pytest.mark.parametrize(
    ("label", "cloudkitty_says"),
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
def test_a_label_that_is_no_plain_decimal_number_reaches_no_threshold(
    label: str | None, cloudkitty_says: object, cloudkitty: Cloudkitty
) -> None:
    rules = [ThresholdRule(VCPUS, Decimal(2), flat(1))]
    assert both(cloudkitty, rules, usage(vcpus=label)) == (cloudkitty_says, 0)


def test_a_null_label_is_not_the_word_none(cloudkitty: Cloudkitty) -> None:
    rules = [MappingRule(VCPUS, "None", flat(1))]
    assert both(cloudkitty, rules, usage(vcpus=None)) == (1, 0)
    assert both(cloudkitty, rules, usage(vcpus="None")) == (1, 1)


def test_an_empty_value_matches_an_empty_label(cloudkitty: Cloudkitty) -> None:
    rules = [MappingRule(VCPUS, "", flat(1))]
    assert both(cloudkitty, rules, usage(vcpus="")) == (0, 1)


def test_rules_without_a_group_are_apart_from_a_group_called_default(
    cloudkitty: Cloudkitty,
) -> None:
    rules = [
        MappingRule(VCPUS, "4", flat(1)),
        MappingRule(RuleTarget("instance"), None, flat(2, "_DEFAULT_")),
    ]
    assert both(cloudkitty, rules, usage(vcpus="4")) == (2, 3)


@pytest.mark.parametrize("level", ["-1e-8", "-1", "-2"])
def test_there_are_no_levels_below_zero(level: str) -> None:
    """CloudKitty takes them, and never looks at those of -1 and below."""
    with pytest.raises(ValueError, match="at least 0"):
        ThresholdRule(VCPUS, Decimal(level), flat(1))
