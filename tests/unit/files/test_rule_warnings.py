"""The warnings about a rule file, word for word."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.files import rule_warnings
from ratekit.files.rules_file import PlacedRule

FLAT, RATE = CostType.FLAT, CostType.RATE
HOUR = datetime.timedelta(hours=1)
LABELS = {"vm": {"project_id", "flavor", "month"}, "disk": {"project_id"}}


def mapping(
    metric: str = "vm",
    label: str | None = None,
    value: str = "m1",
    cost: str = "1",
    type: CostType = FLAT,
    **terms: object,
) -> Rule:
    text = None if label is None else value
    return MappingRule(RuleTarget(metric, label), text, _terms(cost, type, terms))


def threshold(cost: str, type: CostType, group: str | None = None) -> Rule:
    return ThresholdRule(RuleTarget("vm"), Decimal(1), _terms(cost, type, {"group": group}))


def _terms(cost: str, type: CostType, fields: Mapping[str, object]) -> Terms:
    return Terms(Decimal(cost), type, **fields)  # type: ignore[arg-type]


def place(*rules: Rule) -> list[PlacedRule]:
    return [PlacedRule(rule, line, f"rule[{line}]") for line, rule in enumerate(rules, 1)]


def texts(mistakes: list[errors.Mistake]) -> list[str]:
    assert {mistake.file for mistake in mistakes} <= {"rules.yml", "metrics.yml"}
    return [f"{mistake.line} {mistake.key}: {mistake.expected}" for mistake in mistakes]


def warn(*rules: Rule, labels: rule_warnings.Labels = LABELS) -> list[str]:
    return texts(rule_warnings.find_warnings("rules.yml", place(*rules), "metrics.yml", labels))


def test_rules_that_price_usage_give_no_warning() -> None:
    assert warn(mapping(), mapping("vm", "flavor"), mapping(type=RATE), threshold("-1", FLAT)) == []


def test_an_unknown_service_and_an_unknown_field_are_named_once() -> None:
    rules = [mapping("vms"), mapping("vms", "flavor"), *2 * [mapping("vm", "flavour")]]
    assert warn(*rules) == [
        "1 rule[1]: no metric in metrics.yml is named 'vms' (did you mean 'vm'?); rules for it "
        "never match",
        "3 rule[3]: vm has no label 'flavour' in metrics.yml (did you mean 'flavor'?); rules for "
        "it never match",
    ]
    unknown = rule_warnings.find_unknown_targets("rules.yml", place(*rules), "metrics.yml", LABELS)
    assert [mistake.line for mistake in unknown] == [1, 3]


def test_without_metrics_no_name_is_unknown() -> None:
    assert warn(mapping("vms"), labels={}) == []


def test_a_negative_cost_is_a_warning_unless_it_lowers_a_price() -> None:
    assert warn(mapping(), mapping(cost="-1", value="m2"), threshold("-2", RATE)) == [
        "2 rule[2]: a negative flat cost has no effect: of a group, the largest flat cost counts, "
        "and at least 0",
        "3 rule[3]: a negative rate turns the price into a credit",
    ]


def test_rates_without_a_flat_cost_charge_nothing() -> None:
    rules = [mapping(type=RATE), mapping(type=RATE, group="g"), threshold("2", RATE, "g")]
    assert warn(*rules, mapping("disk")) == [
        "1 rule[1]: the rules without a group of vm: rates without a flat cost multiply 0 and "
        "charge nothing",
        "2 rule[2]: group g of vm: rates without a flat cost multiply 0 and charge nothing",
    ]


def test_a_value_that_the_calendar_never_has_never_matches() -> None:
    assert warn(mapping("vm", "month", "03")) == [
        "1 rule[1]: '03' never matches: months are 1 to 12, without a leading zero"
    ]


def test_times_inside_a_period_are_moved_to_its_end() -> None:
    start = datetime.datetime(2026, 1, 1, 0, 20, tzinfo=datetime.UTC)
    never = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    placed = place(
        mapping(start=start, end=start + HOUR),
        mapping(start=start.replace(minute=0), end=never),
    )
    assert texts(rule_warnings.find_off_grid_times("rules.yml", placed, HOUR)) == [
        "1 rule[1].start: no period of 1 h starts at 2026-01-01T00:20:00Z; the rule applies "
        "from 2026-01-01T01:00:00Z",
        "1 rule[1].end: no period of 1 h starts at 2026-01-01T01:20:00Z; the rule applies "
        "until 2026-01-01T02:00:00Z",
    ]


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (
            "project3",
            "no scope has the id 'project3' (did you mean 'project2'?); rules for it never match",
        ),
        ("prod", "'prod' is a name; write its id, 'project1' (names never match)"),
        (
            "test",
            "'test' is a name; write its id, 'project2' or 1 other (names never match)",
        ),
    ],
)
def test_an_unknown_scope_is_named_once(scope: str, text: str) -> None:
    names = {"project1": "prod", "project2": "test", "q": "test"}
    placed = place(mapping(scope="project1"), mapping(scope=scope), mapping("disk", scope=scope))
    assert texts(rule_warnings.find_unknown_scopes("rules.yml", placed, names)) == [
        f"2 rule[2].scope: {text}"
    ]
    assert rule_warnings.find_unknown_scopes("rules.yml", placed, {}) == []


def test_a_name_as_the_value_of_the_scope_label_is_a_warning() -> None:
    names = {"project1": "prod", "b": "b", "c": ""}
    placed = place(
        *(mapping("vm", "project_id", value) for value in ("project1", "prod", "b", "other", "")),
        mapping("vm", "flavor", "prod"),
        mapping(),
    )
    assert texts(rule_warnings.find_scope_names("rules.yml", placed, names, "project_id")) == [
        "2 rule[2].value: 'prod' is a name; write its id, 'project1' (names never match)"
    ]


@pytest.mark.parametrize(
    ("metrics", "text"),
    [(["net"], "net: its usage is"), (["net", "ip"], "net, ip: their usage is")],
)
def test_metrics_without_rules_are_named_in_one_line(metrics: list[str], text: str) -> None:
    labels = {name: {"project_id"} for name in ["vm", *metrics]}
    placed = place(mapping())
    assert texts(rule_warnings.find_unpriced_metrics("metrics.yml", placed, labels)) == [
        f"None : no rule prices {text} stored at price 0"
    ]
    assert rule_warnings.find_unpriced_metrics("metrics.yml", placed, {"vm": set()}) == []
