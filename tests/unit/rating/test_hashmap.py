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
from ratekit.domain.series import Series
from ratekit.rating.hashmap import Hashmap

NEWYEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FLAT, RATE = CostType.FLAT, CostType.RATE


def mapping(
    cost: str,
    type: CostType = FLAT,
    *,
    field: str | None = None,
    value: str | None = None,
    group: str | None = None,
    scope: str | None = None,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
) -> MappingRule:
    terms = Terms(Decimal(cost), type, group, scope, start, end)
    return MappingRule(RuleTarget("instance", field), value, terms)


def threshold(
    level: str,
    cost: str,
    type: CostType = FLAT,
    *,
    field: str | None = None,
    group: str | None = None,
    scope: str | None = None,
) -> ThresholdRule:
    terms = Terms(Decimal(cost), type, group, scope)
    return ThresholdRule(RuleTarget("instance", field), Decimal(level), terms)


def prices(
    rules: Sequence[Rule],
    *quantities: str,
    scope: str = "p1",
    begin: datetime.datetime = NEWYEAR,
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


def test_a_metric_without_rules_costs_nothing() -> None:
    other = MappingRule(RuleTarget("volume"), None, Terms(Decimal(5), FLAT))
    assert price([other], "7") == 0


def test_a_service_mapping_costs_its_price_per_unit() -> None:
    assert price([mapping("0.25")], "3") == Decimal("0.75")


def test_of_several_flat_costs_in_a_group_the_largest_counts() -> None:
    rules: list[Rule] = [
        mapping("1"),
        mapping("3", field="flavor", value="m1"),
        mapping("2", field="zone", value="nova"),
    ]
    assert price(rules, flavor="m1", zone="nova") == 3


def test_a_negative_flat_cost_is_outdone_by_nothing_at_all() -> None:
    assert price([mapping("-5")]) == 0


def test_all_rates_of_a_group_multiply() -> None:
    rules: list[Rule] = [
        mapping("10"),
        mapping("0.5", RATE, field="flavor", value="m1"),
        mapping("0.5", RATE, field="zone", value="nova"),
    ]
    assert price(rules, flavor="m1", zone="nova") == Decimal("2.5")


def test_a_rate_without_a_flat_cost_multiplies_nothing() -> None:
    assert price([mapping("2", RATE)], "10") == 0


def test_groups_are_added_up() -> None:
    rules: list[Rule] = [
        mapping("1", group="a"),
        mapping("3", group="b"),
        mapping("2", RATE, group="b", field="flavor", value="m1"),
        mapping("10"),
    ]
    assert price(rules, flavor="m1") == 1 + 3 * 2 + 10


def test_rules_without_a_group_are_apart_from_a_group_with_cloudkittys_name_for_them() -> None:
    assert price([mapping("1"), mapping("3", group="_DEFAULT_")]) == 4


def test_the_price_comes_on_top_of_what_other_modules_charged() -> None:
    assert prices([mapping("1")], "2", "3", before="0.5") == [Decimal("2.5"), Decimal("3.5")]


def test_a_mapping_matches_the_text_of_a_label_exactly() -> None:
    rules: list[Rule] = [mapping("1", field="vcpus", value="4")]
    assert price(rules, vcpus="4") == 1
    assert [price(rules, vcpus=text) for text in ("4.0", "04", " 4", "four", "")] == [0] * 5


@pytest.mark.parametrize("labels", [{}, {"flavor": None}], ids=["absent", "null"])
def test_a_label_that_is_not_there_matches_nothing(labels: dict[str, str | None]) -> None:
    rules: list[Rule] = [
        mapping("1", field="flavor", value="None"),
        mapping("2", field="flavor", value=""),
        threshold("0", "4", field="flavor"),
    ]
    assert prices(rules, metadata=labels) == [0]


def test_an_empty_label_matches_an_empty_value() -> None:
    assert price([mapping("2", field="flavor", value="")], flavor="") == 2


def test_groupby_wins_over_metadata_of_the_same_name() -> None:
    rules: list[Rule] = [
        mapping("1", field="flavor", value="a"),
        mapping("2", field="flavor", value="b"),
    ]
    assert prices(rules, groupby={"flavor": "a"}, metadata={"flavor": "b"}) == [1]
    assert prices(rules, groupby={"flavor": None}, metadata={"flavor": "b"}) == [0]


def test_only_the_highest_level_that_is_reached_counts() -> None:
    rules: list[Rule] = [mapping("1"), threshold("200", "0.1", RATE), threshold("100", "0.5", RATE)]
    found = prices(rules, "99", "100", "199.9", "200")
    assert found == [Decimal(99), Decimal(50), Decimal("99.95"), Decimal(20)]


def test_a_flat_threshold_on_the_quantity_is_added_once() -> None:
    assert price([mapping("1"), threshold("10", "7")], "20") == 27


def test_a_flat_threshold_on_a_field_is_added_to_every_unit() -> None:
    assert price([mapping("1"), threshold("2", "7", field="vcpus")], "20", vcpus="4") == 160


def test_a_rate_threshold_on_a_field_is_one_more_rate() -> None:
    assert price([mapping("3"), threshold("2", "0.5", RATE, field="vcpus")], "2", vcpus="2") == 3


def test_at_equal_levels_the_service_goes_before_fields_and_fields_by_name() -> None:
    fields: list[Rule] = [threshold("2", "100", field="b"), threshold("2", "10", field="a")]
    assert price(fields, "3", a="5", b="5") == 30
    assert price([*fields, threshold("2", "1")], "3", a="5", b="5") == 1
    assert price([*fields, threshold("2", "1")], "1", a="5", b="5") == 10


def test_a_field_threshold_outdoes_a_lower_one_of_the_service() -> None:
    rules: list[Rule] = [threshold("3", "10", field="a"), threshold("2", "1"), threshold("4", "2")]
    assert prices(rules, "2", "3", "4", metadata={"a": "3"}) == [20, 30, 2]


def test_thresholds_of_different_groups_do_not_compete() -> None:
    rules: list[Rule] = [threshold("1", "5", group="a"), threshold("2", "7", group="b")]
    assert price(rules, "2") == 12


@pytest.mark.parametrize("text", ["4", "+4", "4.", "4.0", "04", "0.4e1", "40E-1", "1e+1"])
def test_a_threshold_reads_a_plain_decimal_number(text: str) -> None:
    assert price([threshold("4", "1", field="vcpus")], vcpus=text) == 1


NOT_NUMBERS = ["", " ", "four", "None", "NaN", "sNaN", "Infinity", "-inf", " 9 ", "9\n", "1_0"]
ODD_NUMBERS = ["\u0669", "\uff19", "0x9", "9,0", "9/1", "1e9999", "--9", ".", "e9", "9e"]


@pytest.mark.parametrize("text", [*NOT_NUMBERS, *ODD_NUMBERS])
def test_anything_else_reaches_no_threshold(text: str) -> None:
    assert price([threshold("0", "1", field="vcpus")], vcpus=text) == 0


def test_a_negative_number_reaches_no_level() -> None:
    assert price([threshold("0", "1", field="vcpus")], vcpus="-1") == 0


def test_a_scopes_own_rule_replaces_the_general_one() -> None:
    rules: list[Rule] = [
        mapping("3"),
        mapping("1", scope="p1"),
        threshold("2", "9"),
        threshold("2.0", "5", scope="p1"),
    ]
    assert prices(rules, "2", scope="p1") == [1 * 2 + 5]
    assert prices(rules, "2", scope="p2") == [3 * 2 + 9]


def test_a_scopes_own_threshold_on_a_field_replaces_the_general_one_of_its_level() -> None:
    rules = [
        threshold("2", "1", field="vcpus"),
        threshold("3", "2", field="vcpus"),
        threshold("2", "5", field="vcpus", scope="p1"),
    ]
    found = [prices(rules, scope="p1", metadata={"vcpus": text}) for text in ("1", "2", "3")]
    assert found == [[0], [5], [2]]


@pytest.mark.parametrize("general", ["a", "b", "c", "d"])
def test_at_equal_levels_fields_go_by_name_whoever_has_the_rule(general: str) -> None:
    rules = [
        threshold("2", str(index), field=name, scope=None if name == general else "p1")
        for index, name in enumerate("dcba", start=1)
    ]
    labels: dict[str, str | None] = dict.fromkeys("abcd", "5")
    assert prices(rules, scope="p1", metadata=labels) == [4]


def test_a_scopes_own_rule_may_match_the_calendar() -> None:
    rules = [mapping("1"), mapping("9", field="month", value="1", scope="p1")]
    assert prices(rules, "1", "1", scope="p1", begin=NEWYEAR - HOUR) == [1, 9]
    assert prices(rules, "1", "1", scope="p2", begin=NEWYEAR - HOUR) == [1, 1]


def test_a_scopes_own_rule_of_another_type_replaces_the_general_one_too() -> None:
    rules: list[Rule] = [mapping("3"), mapping("0.5", RATE, scope="p1")]
    assert prices(rules, scope="p1") == [0]


def test_a_scopes_own_rule_adds_to_general_ones_of_other_groups_values_and_levels() -> None:
    rules: list[Rule] = [
        mapping("3", group="a"),
        mapping("1", group="b", scope="p1"),
        mapping("2", field="flavor", value="m1", group="c"),
        mapping("9", field="flavor", value="m2", group="c", scope="p1"),
        threshold("1", "100", group="d"),
        threshold("5", "200", group="d", scope="p1"),
    ]
    assert prices(rules, scope="p1", metadata={"flavor": "m1"}) == [3 + 1 + 2 + 100]


def test_a_scopes_own_rule_replaces_only_while_it_is_in_force() -> None:
    own = mapping("1", scope="p1", start=NEWYEAR + HOUR, end=NEWYEAR + 2 * HOUR)
    assert prices([mapping("3"), own], "1", "1", "1", scope="p1") == [3, 1, 3]


@pytest.mark.parametrize("hours", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_general_rules_and_a_scopes_own_change_each_at_its_time(hours: list[int]) -> None:
    rules = [
        mapping("1", end=NEWYEAR + HOUR),
        mapping("2", start=NEWYEAR + HOUR),
        mapping("10", group="own", scope="p1", end=NEWYEAR + 2 * HOUR),
        mapping("20", group="own", scope="p1", start=NEWYEAR + 3 * HOUR),
    ]
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    points = [(NEWYEAR + n * HOUR, Decimal(1)) for n in hours]
    series = Series("p1", "instance", "instance", {}, {}, points)
    expected = [11, 12, 2, 22]
    assert list(pricer(series, [Decimal(0)] * 4)) == [expected[n] for n in hours]


def test_a_period_is_priced_with_the_rules_in_force_at_its_begin() -> None:
    half = datetime.timedelta(minutes=30)
    rules: list[Rule] = [mapping("1", end=NEWYEAR + half), mapping("2", start=NEWYEAR + half)]
    assert prices(rules, "1", "1") == [1, 2]


def test_a_rule_that_ends_as_it_starts_was_never_in_force() -> None:
    assert price([mapping("1", start=NEWYEAR, end=NEWYEAR)]) == 0


def test_points_may_come_in_any_order() -> None:
    rules: list[Rule] = [mapping("1", end=NEWYEAR), mapping("2", start=NEWYEAR)]
    pricer = Hashmap().compile(RuleBook(1, tuple(rules)))
    points = [(NEWYEAR + n * HOUR, Decimal(1)) for n in (1, -1, 0, -2)]
    series = Series("p1", "instance", "instance", {}, {}, points)
    assert list(pricer(series, [Decimal(0)] * 4)) == [2, 1, 2, 1]


def test_rules_may_match_the_calendar() -> None:
    rules: list[Rule] = [
        mapping("1", field="year", value="2025"),
        mapping("2", field="month", value="1"),
        mapping("2", RATE, field="day_of_the_year", value="1"),
        mapping("10", field="week_of_the_year", value="00", group="week"),
        threshold("365", "5", field="day_of_the_year", group="day"),
    ]
    assert prices(rules, "1", "1", begin=NEWYEAR - HOUR) == [1 + 5, 2 * 2 + 10]


def test_a_label_cannot_stand_in_for_the_calendar() -> None:
    rules: list[Rule] = [
        mapping("1", field="year", value="2026"),
        mapping("9", field="year", value="1999"),
    ]
    assert prices(rules, groupby={"year": "1999"}, metadata={"year": "1999"}) == [1]


def test_a_price_is_rounded_half_even_to_28_places_once() -> None:
    unit = Decimal(1).scaleb(-28)
    assert prices([mapping("1e-28")], "0.5", "1.5", "2.5") == [0, 2 * unit, 2 * unit]
    halves = [mapping("1e-28", group=name) for name in ("a", "b", "c")]
    assert prices(halves, "0.5") == [2 * unit]


def test_28_digit_costs_keep_every_digit() -> None:
    rules: list[Rule] = [mapping("123456789012.1234567890123456789012345678")]
    [found] = prices(rules, "999999999999.5")
    tenths_of_the_last_place = 1234567890121234567890123456789012345678 * 9999999999995
    assert tenths_of_the_last_place % 10 == 0
    assert found == Decimal(f"{tenths_of_the_last_place // 10}e-28")


def test_as_many_prices_as_points_are_needed() -> None:
    pricer = Hashmap().compile(RuleBook(1, (mapping("1"),)))
    series = Series("p1", "instance", "instance", {}, {}, [(NEWYEAR, Decimal(1))])
    with pytest.raises(ValueError, match="argument"):
        pricer(series, [])
