"""The hashmap's arithmetic, case by case."""

import datetime
from collections.abc import Sequence
from decimal import Decimal

import pytest

from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import Series, Shared
from ratekit.rating.hashmap import Hashmap

NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FLAT, RATE = CostType.FLAT, CostType.RATE


def mapping(
    cost: str,
    type: CostType = FLAT,
    *,
    label: str | None = None,
    value: str | None = None,
    group: str | None = None,
    scope: str | None = None,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
) -> MappingRule:
    terms = Terms(Decimal(cost), type, group, scope, start, end)
    return MappingRule(RuleTarget("instance", label), value, terms)


def threshold(
    level: str,
    cost: str,
    type: CostType = FLAT,
    *,
    label: str | None = None,
    group: str | None = None,
    scope: str | None = None,
) -> ThresholdRule:
    terms = Terms(Decimal(cost), type, group, scope)
    return ThresholdRule(RuleTarget("instance", label), Decimal(level), terms)


def prices(
    rules: Sequence[Rule],
    *quantities: str,
    scope: str = "p1",
    begin: datetime.datetime = NEW_YEAR,
    before: str = "0",
    groupby: dict[str, str | None] | None = None,
    metadata: dict[str, str | None] | None = None,
) -> list[Decimal]:
    points = [(begin + n * HOUR, Decimal(text)) for n, text in enumerate(quantities or ("1",))]
    series = Series(scope, "instance", "instance", groupby or {}, metadata or {}, points)
    pricer = Hashmap.from_conf(None).compile(RuleBook(1, tuple(rules)))
    return list(pricer(series, [Decimal(before)] * len(points)))


def price(rules: Sequence[Rule], quantity: str = "1", **labels: str | None) -> Decimal:
    [single] = prices(rules, quantity, metadata=labels)
    return single


def price_share(
    rules: Sequence[Rule], quantity: str, whole: str, share: str, **labels: str | None
) -> Decimal:
    """Return the price of a quantity that is a share of ``whole``."""
    shared = {NEW_YEAR: Shared(Decimal(whole), Decimal(share))}
    points = [(NEW_YEAR, Decimal(quantity))]
    series = Series("p1", "instance", "instance", {}, labels, points, shared)
    [single] = Hashmap().compile(RuleBook(1, tuple(rules)))(series, [Decimal(0)])
    return single


def test_a_metric_without_rules_costs_nothing() -> None:
    volume = MappingRule(RuleTarget("volume"), None, Terms(Decimal(5), FLAT))
    assert price([volume], "7") == 0


def test_a_mapping_without_a_label_costs_its_price_per_unit() -> None:
    assert price([mapping("0.25")], "3") == Decimal("0.75")


def test_of_several_flat_costs_in_a_group_the_largest_counts() -> None:
    rules: list[Rule] = [
        mapping("1"),
        mapping("3", label="flavor", value="m1"),
        mapping("2", label="zone", value="nova"),
    ]
    assert price(rules, flavor="m1", zone="nova") == 3


def test_a_negative_flat_cost_counts_as_zero() -> None:
    assert price([mapping("-5")]) == 0


def test_all_rates_of_a_group_multiply() -> None:
    rules: list[Rule] = [
        mapping("10"),
        mapping("0.5", RATE, label="flavor", value="m1"),
        mapping("0.5", RATE, label="zone", value="nova"),
    ]
    assert price(rules, flavor="m1", zone="nova") == Decimal("2.5")


def test_a_rate_without_a_flat_cost_multiplies_nothing() -> None:
    assert price([mapping("2", RATE)], "10") == 0


def test_groups_are_added_up() -> None:
    rules: list[Rule] = [
        mapping("1", group="a"),
        mapping("3", group="b"),
        mapping("2", RATE, group="b", label="flavor", value="m1"),
        mapping("10"),
    ]
    assert price(rules, flavor="m1") == 1 + 3 * 2 + 10


def test_rules_without_a_group_are_not_in_a_group_named_default() -> None:
    assert price([mapping("1"), mapping("3", group="_DEFAULT_")]) == 4


def test_the_price_is_added_to_the_price_by_other_modules() -> None:
    assert prices([mapping("1")], "2", "3", before="0.5") == [Decimal("2.5"), Decimal("3.5")]


def test_a_mapping_matches_the_text_of_a_label_exactly() -> None:
    rules: list[Rule] = [mapping("1", label="vcpus", value="4")]
    assert price(rules, vcpus="4") == 1
    assert [price(rules, vcpus=text) for text in ("4.0", "04", " 4", "four", "")] == [0] * 5


NULL = MappingRule(RuleTarget("instance", "flavor"), None, Terms(Decimal(7), FLAT))


def test_a_null_label_is_neither_absent_nor_empty() -> None:
    rules = [NULL, mapping("3", label="flavor", value=""), mapping("5", label="flavor", value="m")]
    assert price(rules, flavor=None) == 7
    assert price(rules, flavor="") == 3
    assert price(rules, flavor="m") == 5
    assert price(rules) == 0


def test_the_text_none_is_null_as_in_cloudkitty() -> None:
    assert price([NULL], flavor="None") == 7
    assert price([NULL], flavor="none") == 0
    assert price([NULL], flavor="null") == 0


def test_a_null_label_reaches_no_threshold() -> None:
    assert price([NULL, threshold("0", "100", label="flavor")], flavor=None) == 7


def test_a_scopes_own_rule_for_null_replaces_the_general_one() -> None:
    own = MappingRule(NULL.target, None, Terms(Decimal(9), FLAT, scope="p1"))
    assert prices([NULL, own], metadata={"flavor": None}) == [9]


@pytest.mark.parametrize("labels", [{}, {"flavor": None}], ids=["absent", "null"])
def test_a_missing_label_matches_nothing(labels: dict[str, str | None]) -> None:
    rules: list[Rule] = [
        mapping("1", label="flavor", value="None"),
        mapping("2", label="flavor", value=""),
        threshold("0", "4", label="flavor"),
    ]
    assert prices(rules, metadata=labels) == [0]


def test_an_empty_label_matches_an_empty_value() -> None:
    assert price([mapping("2", label="flavor", value="")], flavor="") == 2


def test_groupby_takes_precedence_over_metadata_of_the_same_name() -> None:
    rules: list[Rule] = [
        mapping("1", label="flavor", value="a"),
        mapping("2", label="flavor", value="b"),
    ]
    assert prices(rules, groupby={"flavor": "a"}, metadata={"flavor": "b"}) == [1]
    assert prices(rules, groupby={"flavor": None}, metadata={"flavor": "b"}) == [0]


def test_only_the_highest_matching_level_counts() -> None:
    rules: list[Rule] = [mapping("1"), threshold("200", "0.1", RATE), threshold("100", "0.5", RATE)]
    assert prices(rules, "99", "100", "199.9", "200") == [
        Decimal(99),
        Decimal(50),
        Decimal("99.95"),
        Decimal(20),
    ]


def test_a_flat_threshold_on_the_quantity_is_added_once() -> None:
    assert price([mapping("1"), threshold("10", "7")], "20") == 27


def test_a_flat_threshold_on_a_label_is_added_to_every_unit() -> None:
    assert price([mapping("1"), threshold("2", "7", label="vcpus")], "20", vcpus="4") == 160


def test_a_rate_threshold_on_a_label_is_one_more_rate() -> None:
    assert price([mapping("3"), threshold("2", "0.5", RATE, label="vcpus")], "2", vcpus="2") == 3


def test_at_equal_levels_the_quantity_takes_precedence_then_labels_by_name() -> None:
    on_labels: list[Rule] = [threshold("2", "100", label="b"), threshold("2", "10", label="a")]
    assert price(on_labels, "3", a="5", b="5") == 30
    assert price([*on_labels, threshold("2", "1")], "3", a="5", b="5") == 1
    assert price([*on_labels, threshold("2", "1")], "1", a="5", b="5") == 10


def test_a_threshold_on_a_label_takes_precedence_over_a_lower_one_on_the_quantity() -> None:
    rules: list[Rule] = [threshold("3", "10", label="a"), threshold("2", "1"), threshold("4", "2")]
    assert prices(rules, "2", "3", "4", metadata={"a": "3"}) == [20, 30, 2]


def test_thresholds_of_different_groups_do_not_compete() -> None:
    rules: list[Rule] = [threshold("1", "5", group="a"), threshold("2", "7", group="b")]
    assert price(rules, "2") == 12


@pytest.mark.parametrize("text", ["4", "+4", "4.", "4.0", "04", "0.4e1", "40E-1", "1e+1"])
def test_a_threshold_reads_a_plain_decimal_number(text: str) -> None:
    assert price([threshold("4", "1", label="vcpus")], vcpus=text) == 1


NOT_NUMBERS = ["", " ", "four", "None", "NaN", "sNaN", "Infinity", "-inf", " 9 ", "9\n", "1_0"]
NOT_PLAIN_NUMBERS = ["\u0669", "\uff19", "0x9", "9,0", "9/1", "1e9999", "--9", ".", "e9", "9e"]


@pytest.mark.parametrize("text", [*NOT_NUMBERS, *NOT_PLAIN_NUMBERS])
def test_any_other_text_matches_no_threshold(text: str) -> None:
    assert price([threshold("0", "1", label="vcpus")], vcpus=text) == 0


def test_a_negative_number_matches_no_level() -> None:
    assert price([threshold("0", "1", label="vcpus")], vcpus="-1") == 0


def test_a_scopes_own_rule_replaces_the_general_one() -> None:
    rules: list[Rule] = [
        mapping("3"),
        mapping("1", scope="p1"),
        threshold("2", "9"),
        threshold("2.0", "5", scope="p1"),
    ]
    assert prices(rules, "2", scope="p1") == [1 * 2 + 5]
    assert prices(rules, "2", scope="p2") == [3 * 2 + 9]


def test_a_scopes_own_threshold_on_a_label_replaces_the_general_one_of_its_level() -> None:
    rules = [
        threshold("2", "1", label="vcpus"),
        threshold("3", "2", label="vcpus"),
        threshold("2", "5", label="vcpus", scope="p1"),
    ]
    costs = [prices(rules, scope="p1", metadata={"vcpus": text}) for text in ("1", "2", "3")]
    assert costs == [[0], [5], [2]]


@pytest.mark.parametrize("general", ["a", "b", "c", "d"])
def test_at_equal_levels_labels_go_by_name_whether_general_or_a_scopes_own(general: str) -> None:
    rules = [
        threshold("2", str(index), label=name, scope=None if name == general else "p1")
        for index, name in enumerate("dcba", start=1)
    ]
    labels: dict[str, str | None] = dict.fromkeys("abcd", "5")
    assert prices(rules, scope="p1", metadata=labels) == [4]


def test_a_scopes_own_rule_may_match_the_calendar() -> None:
    rules = [mapping("1"), mapping("9", label="month", value="1", scope="p1")]
    assert prices(rules, "1", "1", scope="p1", begin=NEW_YEAR - HOUR) == [1, 9]
    assert prices(rules, "1", "1", scope="p2", begin=NEW_YEAR - HOUR) == [1, 1]


def test_a_scopes_own_rule_of_another_type_replaces_the_general_one_too() -> None:
    rules: list[Rule] = [mapping("3"), mapping("0.5", RATE, scope="p1")]
    assert prices(rules, scope="p1") == [0]


def test_a_scopes_own_rule_adds_to_general_ones_of_other_groups_values_and_levels() -> None:
    rules: list[Rule] = [
        mapping("3", group="a"),
        mapping("1", group="b", scope="p1"),
        mapping("2", label="flavor", value="m1", group="c"),
        mapping("9", label="flavor", value="m2", group="c", scope="p1"),
        threshold("1", "100", group="d"),
        threshold("5", "200", group="d", scope="p1"),
    ]
    assert prices(rules, scope="p1", metadata={"flavor": "m1"}) == [3 + 1 + 2 + 100]


def test_a_scopes_own_rule_replaces_only_while_it_is_in_force() -> None:
    scope_rule = mapping("1", scope="p1", start=NEW_YEAR + HOUR, end=NEW_YEAR + 2 * HOUR)
    assert prices([mapping("3"), scope_rule], "1", "1", "1", scope="p1") == [3, 1, 3]


@pytest.mark.parametrize("hours", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_general_rules_and_a_scopes_own_change_independently(hours: list[int]) -> None:
    rules = [
        mapping("1", end=NEW_YEAR + HOUR),
        mapping("2", start=NEW_YEAR + HOUR),
        mapping("10", group="g", scope="p1", end=NEW_YEAR + 2 * HOUR),
        mapping("20", group="g", scope="p1", start=NEW_YEAR + 3 * HOUR),
    ]
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    points = [(NEW_YEAR + n * HOUR, Decimal(1)) for n in hours]
    series = Series("p1", "instance", "instance", {}, {}, points)
    expected = [11, 12, 2, 22]
    assert list(pricer(series, [Decimal(0)] * 4)) == [expected[n] for n in hours]


def test_a_period_is_priced_with_the_rules_in_force_at_its_begin() -> None:
    half = datetime.timedelta(minutes=30)
    rules: list[Rule] = [mapping("1", end=NEW_YEAR + half), mapping("2", start=NEW_YEAR + half)]
    assert prices(rules, "1", "1") == [1, 2]


def test_a_rule_that_ends_as_it_starts_was_never_in_force() -> None:
    assert price([mapping("1", start=NEW_YEAR, end=NEW_YEAR)]) == 0


def test_points_may_come_in_any_order() -> None:
    rules: list[Rule] = [mapping("1", end=NEW_YEAR), mapping("2", start=NEW_YEAR)]
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    points = [(NEW_YEAR + n * HOUR, Decimal(1)) for n in (1, -1, 0, -2)]
    series = Series("p1", "instance", "instance", {}, {}, points)
    assert list(pricer(series, [Decimal(0)] * 4)) == [2, 1, 2, 1]


def test_rules_may_match_the_calendar() -> None:
    rules: list[Rule] = [
        mapping("1", label="year", value="2025"),
        mapping("2", label="month", value="1"),
        mapping("2", RATE, label="day_of_the_year", value="1"),
        mapping("10", label="week_of_the_year", value="00", group="week"),
        threshold("365", "5", label="day_of_the_year", group="day"),
    ]
    assert prices(rules, "1", "1", begin=NEW_YEAR - HOUR) == [1 + 5, 2 * 2 + 10]


def test_the_calendar_takes_precedence_over_labels() -> None:
    rules: list[Rule] = [
        mapping("1", label="year", value="2026"),
        mapping("9", label="year", value="1999"),
    ]
    assert prices(rules, groupby={"year": "1999"}, metadata={"year": "1999"}) == [1]


def test_a_price_is_rounded_half_even_to_28_places_once() -> None:
    unit = Decimal(1).scaleb(-28)
    assert prices([mapping("1e-28")], "0.5", "1.5", "2.5") == [0, 2 * unit, 2 * unit]
    halves = [mapping("1e-28", group=name) for name in ("a", "b", "c")]
    assert prices(halves, "0.5") == [2 * unit]


def test_28_digit_costs_keep_every_digit() -> None:
    rules: list[Rule] = [mapping("123456789012.1234567890123456789012345678")]
    [total] = prices(rules, "999999999999.5")
    tenths_of_the_last_place = 1234567890121234567890123456789012345678 * 9999999999995
    assert tenths_of_the_last_place % 10 == 0
    assert total == Decimal(f"{tenths_of_the_last_place // 10}e-28")


def test_the_number_of_prices_must_be_the_number_of_points() -> None:
    pricer = Hashmap().compile(RuleBook(1, (mapping("1"),)))
    series = Series("p1", "instance", "instance", {}, {}, [(NEW_YEAR, Decimal(1))])
    with pytest.raises(ValueError, match="argument"):
        pricer(series, [])


# Shared quantities ----------------------------------------------------------------------

THIRD, TWO_THIRDS = "0.333333333333333333", "0.666666666666666667"


def test_a_threshold_on_the_quantity_sees_the_whole_of_a_share() -> None:
    """2048 MiB for 20 minutes reach 1024."""
    rules: list[Rule] = [mapping("1"), threshold("1024", "0.5", RATE)]
    quantity = "682.666666666666666667"
    assert price(rules, quantity) == Decimal(quantity)
    assert price_share(rules, quantity, "2048", THIRD) == Decimal(quantity) / 2
    assert price_share(rules, quantity, "1023", TWO_THIRDS) == Decimal(quantity)


def test_a_flat_cost_of_a_threshold_on_the_quantity_is_shared() -> None:
    rules: list[Rule] = [threshold("1", "30")]
    small = price_share(rules, THIRD, "1", THIRD)
    large = price_share(rules, TWO_THIRDS, "1", TWO_THIRDS)
    assert (small, large) == (Decimal("9.99999999999999999"), Decimal("20.00000000000000001"))
    assert small + large == price(rules, "1") == 30


def test_thresholds_and_mappings_on_labels_price_the_share() -> None:
    rules: list[Rule] = [
        mapping("3", label="flavor", value="m1"),
        threshold("4", "6", label="vcpus"),
        threshold("8", "100", label="vcpus"),
    ]
    assert price_share(rules, "0.5", "9", "0.25", flavor="m1", vcpus="4") == Decimal("4.5")


def test_only_the_periods_that_are_shared_see_a_whole() -> None:
    rules: list[Rule] = [mapping("1"), threshold("3", "10")]
    points = [(NEW_YEAR + number * HOUR, Decimal(2)) for number in range(3)]
    shared = {NEW_YEAR + HOUR: Shared(Decimal(4), Decimal("0.5"))}
    series = Series("p1", "instance", "instance", {}, {}, points, shared)
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    assert list(map(int, pricer(series, [Decimal(0)] * 3))) == [2, 7, 2]
