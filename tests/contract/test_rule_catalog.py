"""Every rule store has names without rules, lines of rules, and tells who made each rule."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.rules.catalog import (
    Catalog,
    FieldRow,
    GroupRow,
    NameChange,
    ServiceRow,
    Signature,
    rule_key,
)
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.interfaces import Storage
from tests.contract.given import START, hour, note, statements

CPU = RuleTarget("cpu")
FLAVOR = RuleTarget("cpu", "flavor")
TERMS = Terms(Decimal(1), CostType.FLAT, "uptime")
RULE = MappingRule(FLAVOR, "m1", TERMS)


def names(catalog: Catalog) -> list[tuple[str, bool]]:
    """Return the name of each service, field and group, and whether it is hidden."""
    return [(row.name, row.hidden) for row in all_rows(catalog)]


def all_rows(catalog: Catalog) -> tuple[ServiceRow | FieldRow | GroupRow, ...]:
    """Return the services, fields and groups."""
    return (*catalog.services, *catalog.fields, *catalog.groups)


def test_a_new_store_has_no_names(storage: Storage) -> None:
    catalog = storage.rules.catalog()
    assert (catalog.book, catalog.records, names(catalog)) == (storage.rules.read(), {}, [])


def test_services_fields_and_groups_exist_without_a_rule(storage: Storage) -> None:
    change = NameChange((CPU, RuleTarget("disk", "type")), ("uptime",))
    assert storage.rules.change(0, [], [], note(), names=change) == 1
    catalog = storage.rules.catalog()
    assert names(catalog) == [("cpu", False), ("disk", False), ("type", False), ("uptime", False)]
    assert catalog.fields[0].service_id == catalog.services[1].id


def test_what_is_hidden_is_shown_by_its_next_creation_and_keeps_its_id(storage: Storage) -> None:
    change = NameChange((FLAVOR,), ("uptime",))
    storage.rules.change(0, [], [], note(), names=change)
    before = storage.rules.catalog()
    rows = all_rows(before)
    storage.rules.change(1, [], [], note(), names=NameChange(hide=rows))
    catalog = storage.rules.catalog()
    assert names(catalog) == [("cpu", True), ("flavor", True), ("uptime", True)]
    storage.rules.change(2, [], [], note(), names=NameChange((CPU,)))
    assert names(storage.rules.catalog()) == [("cpu", False), ("flavor", True), ("uptime", True)]
    storage.rules.change(3, [], [RULE], note())
    shown = storage.rules.catalog()
    assert all_rows(shown) == rows


def test_only_the_rows_that_are_named_are_hidden(storage: Storage) -> None:
    change = NameChange((FLAVOR, RuleTarget("disk", "flavor")), ("a", "b"))
    storage.rules.change(0, [], [], note(), names=change)
    catalog = storage.rules.catalog()
    hide = (catalog.fields[1], catalog.groups[0])
    storage.rules.change(1, [], [], note(), names=NameChange(hide=hide))
    catalog = storage.rules.catalog()
    assert [row.hidden for row in catalog.services] == [False, False]
    assert [row.hidden for row in catalog.fields] == [False, True]
    assert [row.hidden for row in catalog.groups] == [True, False]


def test_a_refused_change_creates_and_hides_nothing(storage: Storage) -> None:
    storage.rules.change(0, [], [], note(), names=NameChange((CPU,)))
    before = storage.rules.catalog()
    change = NameChange((RuleTarget("disk"),), ("g",), before.services)
    with pytest.raises(errors.OutdatedRules):
        storage.rules.change(0, [], [], note(), names=change)
    broken = MappingRule(RuleTarget("x" * 256), None, TERMS)
    with pytest.raises(errors.OperatorError):
        storage.rules.change(1, [], [broken], note(), names=change)
    assert storage.rules.catalog() == before


def test_a_rule_starts_a_line_and_another_continues_it(storage: Storage) -> None:
    rules: list[Rule] = [RULE, ThresholdRule(CPU, Decimal(5), TERMS)]
    storage.rules.change(0, [], rules, note())
    first = storage.rules.read().rules
    assert [rule.line for rule in first] == [rule.id for rule in first]
    successors: list[Rule] = [
        MappingRule(FLAVOR, "m2", TERMS, line=first[0].line, name="ünï", description="d\n2"),
        ThresholdRule(CPU, Decimal(7), TERMS, line=first[1].line),
    ]
    storage.rules.change(1, [(rule, hour(3)) for rule in first], successors, note())
    rules = list(storage.rules.catalog().book.rules)
    assert sorted(rules, key=repr) == sorted(storage.rules.read().rules, key=repr)
    mappings = [rule for rule in rules if isinstance(rule, MappingRule)]
    assert [(rule.line, rule.name, rule.description) for rule in mappings] == [
        (first[0].id, None, None),
        (first[0].id, "ünï", "d\n2"),
    ]
    thresholds = [rule for rule in rules if isinstance(rule, ThresholdRule)]
    assert [rule.line for rule in thresholds] == [first[1].id] * 2


def test_each_rule_has_who_opened_and_who_closed_it_last(storage: Storage) -> None:
    storage.rules.change(0, [], [RULE, ThresholdRule(CPU, Decimal(5), TERMS)], note())
    mapping, threshold = storage.rules.read().rules
    for version, moment in ((1, hour(9)), (2, hour(8))):
        author = ChangeNote(hour(version), f"user {version}")
        storage.rules.change(version, [(mapping, moment)], [], author)
    records = storage.rules.catalog().records
    opening = Signature(1, START, "ann@example")
    record = records[rule_key(mapping)]
    assert (record.opening, record.closing) == (opening, Signature(3, hour(2), "user 2"))
    assert (record.created_at, record.closed_at) == (START, hour(2))
    record = records[rule_key(threshold)]
    assert (record.opening, record.closing, record.closed_at) == (opening, None, None)


def test_without_a_change_one_query_returns_the_last_catalog(storage: Storage) -> None:
    storage.rules.change(0, [], [RULE], note())
    catalog = storage.rules.catalog()
    with statements() as seen:
        assert storage.rules.catalog(catalog) is catalog
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1
    storage.rules.change(1, [], [], note())
    assert storage.rules.catalog(catalog).book.version == 2


def test_many_rules_and_changes_take_as_many_queries_as_few(storage: Storage) -> None:
    for version in range(30):
        rule = MappingRule(RuleTarget(f"metric {version}", "f"), "x", TERMS)
        storage.rules.change(version, [], [rule], note())
    with statements() as seen:
        assert len(storage.rules.catalog().records) == 30
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 8


def test_rows_of_different_kinds_may_have_one_id(storage: Storage) -> None:
    storage.rules.change(0, [], [RULE], note())
    catalog = storage.rules.catalog()
    [service], [field], [group] = catalog.services, catalog.fields, catalog.groups
    assert service == ServiceRow(service.id, "cpu")
    assert field == FieldRow(field.id, service.id, "flavor")
    assert group == GroupRow(group.id, "uptime")
