import datetime
import pathlib
import tempfile
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.files import rules_file

NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXAMPLE = pathlib.Path(__file__).parents[3] / "etc" / "ratekit" / "hashmap.yml"


def read(text: str) -> list[Rule]:
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return rules_file.read(file.name)


def mistakes(text: str) -> list[str]:
    with pytest.raises(errors.BadInput) as caught:
        read(text)
    return [
        f"{mistake.line} {mistake.key}: {mistake.expected}" for mistake in caught.value.mistakes
    ]


def read_mapping(text: str) -> Rule:
    """Return the rule in a file whose only mapping is ``text``."""
    [rule] = read(f"services: {{cpu: {{mappings: [{text}]}}}}")
    return rule


def test_a_file_lists_mappings_and_thresholds_of_services_and_their_fields() -> None:
    rules = read(
        """
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: "0.020", type: flat, group: uptime}
          - {value: m1.small, cost: "0.015", type: flat, group: uptime, scope: 5f1c,
             start: 2026-01-01T00:00:00Z}
      vcpus:
        thresholds: [{level: 8, cost: 0.9, type: rate, end: 2026-01-01}]
  volume.size:
    mappings:   [{cost: "0.0003", type: flat}]
    thresholds: [{level: "1000", cost: "0.9", type: rate}]
"""
    )
    flavor, vcpus = RuleTarget("instance", "flavor_name"), RuleTarget("instance", "vcpus")
    flat, rate = CostType.FLAT, CostType.RATE
    assert rules == [
        MappingRule(flavor, "m1.small", Terms(Decimal("0.020"), flat, "uptime")),
        MappingRule(flavor, "m1.small", Terms(Decimal("0.015"), flat, "uptime", "5f1c", NEW_YEAR)),
        ThresholdRule(vcpus, Decimal(8), Terms(Decimal("0.9"), rate, end=NEW_YEAR)),
        MappingRule(RuleTarget("volume.size"), None, Terms(Decimal("0.0003"), flat)),
        ThresholdRule(RuleTarget("volume.size"), Decimal(1000), Terms(Decimal("0.9"), rate)),
    ]


def test_every_rule_has_its_line_and_key(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hashmap.yml"
    path.write_text("services:\n  cpu:\n    mappings:\n      - {cost: 1, type: flat}\n")
    [placed_rule] = rules_file.read_with_places(str(path))
    assert (placed_rule.line, placed_rule.key) == (4, "services.cpu.mappings[0]")


def test_the_shipped_example_is_valid() -> None:
    assert rules_file.read(str(EXAMPLE))


@pytest.mark.parametrize("cost", ["0.1", '"0.1"', "+0.1", ".1", "1e-1", '"1.0E-1"'])
def test_a_cost_is_exact_however_it_is_written(cost: str) -> None:
    assert read_mapping(f"{{cost: {cost}, type: flat}}").terms.cost == Decimal("0.1")


@pytest.mark.parametrize(
    ("scalar", "text"),
    [
        ("4", "4"),
        ("1.50", "1.50"),
        ("0.0000001", "0.0000001"),
        ("010", "010"),
        ('"4"', "4"),
        ('""', ""),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ("1.0e+16", "1e+16"),
        ("m 1", "m 1"),
    ],
)
def test_a_value_is_the_text_it_is_written_as(scalar: str, text: str) -> None:
    field = f"{{mappings: [{{value: {scalar}, cost: 1, type: flat}}]}}"
    [rule] = read(f"services: {{cpu: {{fields: {{f: {field}}}}}}}")
    assert isinstance(rule, MappingRule)
    assert rule.value == text


@pytest.mark.parametrize(
    "scalar",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00Z",
        "2026-01-01T01:00:00+01:00",
        '"2026-01-01T00:00:00Z"',
        "2025-12-31T19:00-05:00",
    ],
)
def test_instants_are_utc_unless_they_say_otherwise(scalar: str) -> None:
    instant = read_mapping(f"{{cost: 1, type: flat, start: {scalar}}}").terms.start
    assert instant == NEW_YEAR
    assert instant.tzinfo is datetime.UTC


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{type: flat}", "cost: is required"),
        ("{cost: 1}", "type: is required"),
        ("{cost: 1, type: flt}", "type: expected 'flat' or 'rate', not 'flt'"),
        ("{cost: .nan, type: flat}", "cost: expected a decimal number, not '.nan'"),
        ("{cost: -.inf, type: flat}", "cost: expected a decimal number, not '-.inf'"),
        ("{cost: NaN, type: flat}", "cost: expected a decimal number, not 'NaN'"),
        ("{cost: yes, type: flat}", "cost: expected a decimal number, not true"),
        ("{cost: 1_0, type: flat}", "cost: expected a decimal number, not '1_0'"),
        ('{cost: " 1", type: flat}', "cost: expected a decimal number, not ' 1'"),
        ("{cost: , type: flat}", "cost: expected a decimal number, not nothing"),
        ("{cost: 1e-29, type: flat}", "cost: expected at most 40 digits, at most 28 of them"),
        ("{cost: 1e40, type: flat}", "cost: expected at most 40 digits, at most 28 of them"),
        (f"{{cost: {'9' * 41}, type: flat}}", "cost: expected at most 40 digits"),
        (
            f"{{cost: {'9' * 38}, type: flat}}",
            "cost: expected at most 40 digits, at most 28 of them after the decimal point and 37 "
            "before it",
        ),
        ('{cost: 1, type: flat, group: "a\\0"}', "group: contains a NUL or an unpaired surrogate"),
        ("{cost: 1, type: flat, value: a}", "value: only mappings of a field have a value"),
        ("{cost: 1, type: flat, level: 1}", "level: only thresholds have a level"),
        ("{cost: 1, typ: flat, type: flat}", "typ: unknown key (did you mean 'type'?)"),
        ("{cost: 1, type: flat, group: }", None),
        (
            "{cost: 1, type: flat, group: NO}",
            "group: expected a string: write it in quotes, because YAML ",
        ),
        (
            "{cost: 1, type: flat, scope: on}",
            "scope: expected a string: write it in quotes, because YAML ",
        ),
        ('{cost: 1, type: flat, group: ""}', "group: must not be empty"),
        ("{cost: 1, type: flat, scope: [a]}", "scope: expected a string, not ['a']"),
        (f"{{cost: 1, type: flat, scope: {'a' * 256}}}", "scope: expected at most 255 characters"),
        ("{cost: 1, type: flat, start: 2026}", "start: expected a date or a time"),
        ("{cost: 1, type: flat, start: 20260101}", "start: expected a date or a time"),
        ("{cost: 1, type: flat, start: 2026-02-30}", "start: expected a date or a time"),
        ("{cost: 1, type: flat, start: 2026-W01-1}", "start: expected a date or a time"),
        ("{cost: 1, type: flat, end: 0001-01-01T00:00+01:00}", "end: expected a date or a time"),
        ("{cost: 1, type: flat, start: 2026-01-01, end: 2026-01-01}", "expected an end after"),
        ("3", "expected a mapping (key: value), not 3"),
    ],
)
def test_each_mistake_has_its_line_and_key(entry: str, expected: str | None) -> None:
    text = f"services:\n  cpu:\n    mappings:\n      - {entry}\n"
    if expected is None:
        assert read(text)
        return
    [mistake] = mistakes(text)
    assert mistake.startswith("4 services.cpu.mappings[0]")
    assert expected in mistake


@pytest.mark.parametrize("level", ["-1", "-1e-8", "x", "true"])
def test_a_level_is_a_number_of_at_least_0(level: str) -> None:
    entry = f"{{level: {level}, cost: 1, type: flat}}"
    [mistake] = mistakes(f"services: {{cpu: {{thresholds: [{entry}]}}}}")
    assert "level: expected a" in mistake


@pytest.mark.parametrize("scalar", ["null", "~", "None", '"None"'])
def test_a_value_may_be_null(scalar: str) -> None:
    field = f"{{mappings: [{{value: {scalar}, cost: 1, type: flat}}]}}"
    [rule] = read(f"services: {{cpu: {{fields: {{f: {field}}}}}}}")
    assert isinstance(rule, MappingRule)
    assert (rule.target.label, rule.value) == ("f", None)
    assert "{value: null, " in rules_file.render([rule])
    assert read(rules_file.render([rule])) == [rule]


def test_null_and_the_text_none_are_one_value() -> None:
    entries = "{value: null, cost: 1, type: flat}, {value: None, cost: 2, type: flat}"
    [mistake] = mistakes(f"services: {{cpu: {{fields: {{f: {{mappings: [{entries}]}}}}}}}}")
    assert "overlaps the rule on line 1" in mistake


@pytest.mark.parametrize("value", ["", "value: [1], "])
def test_a_fields_mapping_has_a_value(value: str) -> None:
    entry = f"{{{value}cost: 1, type: flat}}"
    [mistake] = mistakes(f"services: {{cpu: {{fields: {{f: {{mappings: [{entry}]}}}}}}}}")
    assert mistake.startswith("1 services.cpu.fields.f.mappings[0].value: ")


@pytest.mark.parametrize("text", ["", "services:", "[]", "services: []", "{}"])
def test_an_empty_file_is_rejected_because_it_would_close_every_rule(text: str) -> None:
    assert len(mistakes(text)) == 1
    assert read("services: {}") == []


def test_all_mistakes_are_reported_together() -> None:
    lines = mistakes(
        """services:
  cpu:
    mapings: []
    mappings:
      - {cost: x, type: flat}
      - {cost: 1, type: y}
    fields: {"": {}}
"""
    )
    assert [line.partition(":")[0] for line in lines] == [
        "3 services.cpu.mapings",
        "5 services.cpu.mappings[0].cost",
        "6 services.cpu.mappings[1].type",
        "7 services.cpu.fields.''",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("", "start: 2026-01-01"),
        ("end: 2026-01-02", "start: 2026-01-01"),
        ("group: g, scope: p, start: 2026-01-01", "group: g, scope: p, end: 2026-01-02"),
    ],
)
def test_two_rules_for_the_same_usage_must_not_overlap(first: str, second: str) -> None:
    [mistake] = mistakes(
        f"""services:
  cpu:
    mappings:
      - {{cost: 1, type: flat, {first}}}
      - {{cost: 2, type: rate, {second}}}
"""
    )
    assert mistake == (
        "5 services.cpu.mappings[1]: overlaps the rule on line 4; only one rule for the same "
        "usage, group and scope can be in force at a time"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("end: 2026-01-01", "start: 2026-01-01"),
        ("", "group: g"),
        ("", "scope: p"),
        ("scope: p", "scope: q"),
    ],
)
def test_consecutive_and_unrelated_rules_do_not_overlap(first: str, second: str) -> None:
    rows = ", ".join(f"{{cost: 1, type: flat, {keys}}}" for keys in (first, second))
    assert len(read(f"services: {{cpu: {{mappings: [{rows}]}}}}")) == 2


def test_equal_levels_overlap_with_any_spelling() -> None:
    rows = ", ".join(f"{{level: {level}, cost: 1, type: flat}}" for level in ("10", "10.0"))
    assert len(mistakes(f"services: {{cpu: {{thresholds: [{rows}]}}}}")) == 1


def test_rules_are_rendered_in_order_and_without_defaults() -> None:
    flat, rate = CostType.FLAT, CostType.RATE
    flavor = RuleTarget("instance", "flavor")
    text = rules_file.render(
        [
            ThresholdRule(RuleTarget("volume.size"), Decimal("1E+3"), Terms(Decimal("0.90"), rate)),
            MappingRule(
                flavor, "m2", Terms(Decimal("0.0200000000"), flat, scope="p: 1", end=NEW_YEAR)
            ),
            MappingRule(flavor, "m1", Terms(Decimal("100"), flat, "up", start=NEW_YEAR)),
            MappingRule(flavor, "2", Terms(Decimal(0), flat)),
            MappingRule(flavor, "", Terms(Decimal(3), flat)),
            MappingRule(flavor, None, Terms(Decimal(2), flat)),
            MappingRule(RuleTarget("volume.size"), None, Terms(Decimal("-1E-28"), flat)),
            MappingRule(RuleTarget("instance"), None, Terms(Decimal(1), flat)),
        ]
    )
    assert (
        text
        == """services:
  instance:
    mappings:
      - {cost: "1", type: flat}
    fields:
      flavor:
        mappings:
          - {value: null, cost: "2", type: flat}
          - {value: "", cost: "3", type: flat}
          - {value: "2", cost: "0", type: flat}
          - {value: m1, cost: "100", type: flat, group: up, start: 2026-01-01T00:00:00Z}
          - {value: m2, cost: "0.02", type: flat, scope: "p: 1", end: 2026-01-01T00:00:00Z}
  volume.size:
    mappings:
      - {cost: "-0.0000000000000000000000000001", type: flat}
    thresholds:
      - {level: "1000", cost: "0.9", type: rate}
"""
    )


TEXTS = st.one_of(
    st.sampled_from(
        ["m1", "no", "Null", "null", "~", "1", "1.5", "2026-01-01", "a: b", "#", "<<", "=", "'"]
    ),
    # The reader rejects a NUL, because no database stores it.
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)
NAMES = TEXTS.filter(bool)
NUMBERS = st.builds(
    lambda units, places: Decimal(units).scaleb(-places),
    st.integers(-(10**12), 10**12),
    st.integers(-3, 28),
)
#: The API takes times to the microsecond.
INSTANTS = st.datetimes(timezones=st.just(datetime.UTC))


@st.composite
def rule_lists(draw: st.DrawFn) -> list[Rule]:
    rules: dict[object, Rule] = {}
    for _ in range(draw(st.integers(0, 5))):
        bounds = sorted({draw(INSTANTS), draw(INSTANTS)})
        start = draw(st.sampled_from([None, bounds[0]]))
        end = draw(st.sampled_from([None, bounds[1]])) if len(bounds) == 2 else None
        terms = Terms(
            cost=draw(NUMBERS),
            type=draw(st.sampled_from(CostType)),
            group=draw(st.one_of(st.none(), NAMES)),
            scope=draw(st.one_of(st.none(), NAMES)),
            start=start,
            end=end,
        )
        target = RuleTarget(draw(NAMES), draw(st.one_of(st.none(), NAMES)))
        rule: Rule
        if draw(st.booleans()):
            rule = ThresholdRule(target, abs(draw(NUMBERS)), terms)
            key: object = (target, rule.level, terms.group, terms.scope)
        else:
            value = draw(st.none() | TEXTS) if target.label is not None else None
            rule = MappingRule(target, value, terms)
            key = (target, rule.value, terms.group, terms.scope)
        rules[key] = rule
    return list(rules.values())


@given(rule_lists())
@settings(max_examples=40, deadline=None)
def test_rendered_rules_are_read_back(rules: list[Rule]) -> None:
    text = rules_file.render(rules)
    result = read(text)
    assert len(result) == len(rules)
    assert set(result) == set(rules)
    assert rules_file.render(result[::-1]) == text
