"""The price list of a project: what holds for it, from when to when, and nobody else's."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ratekit.admin import price_sheet, quote
from ratekit.admin.price_sheet import PriceEntry, Validity
from ratekit.domain.period import Period
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.pricing import rule_change
from ratekit.pricing.price_list import PriceList
from ratekit.rating.hashmap import Hashmap
from ratekit.text import number_text

HOUR = datetime.timedelta(hours=1)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
MINE, THEIRS = "p1", "p2"


def mapping(cost: str, label: str | None = None, value: str | None = None, **terms: object) -> Rule:
    fields: dict[str, object] = {"type": CostType.FLAT, **terms}
    return MappingRule(RuleTarget("vm", label), value, Terms(Decimal(cost), **fields))  # type: ignore[arg-type]


def threshold(level: str, label: str | None = None, **terms: object) -> Rule:
    fields: dict[str, object] = {"type": CostType.RATE, **terms}
    return ThresholdRule(
        RuleTarget("vm", label),
        Decimal(level),
        Terms(Decimal(2), **fields),  # type: ignore[arg-type]
    )


def sheet(*rules: Rule, scope: str = MINE) -> list[PriceEntry]:
    entries = price_sheet.build(RuleBook(1, rules), scope, NOON)
    return [entry for metric in entries.values() for entry in metric]


def ranges(*rules: Rule, scope: str = MINE) -> list[tuple[str, str]]:
    """Return level and ceiling of each threshold."""
    return [
        (number_text(entry.rule.level), "" if entry.ceiling is None else number_text(entry.ceiling))
        for entry in sheet(*rules, scope=scope)
        if isinstance(entry.rule, ThresholdRule)
    ]


def test_prices_are_in_force_scheduled_or_past() -> None:
    past = mapping("1", end=NOON)
    now = mapping("2", start=NOON, end=NOON + HOUR)
    later = mapping("3", start=NOON + HOUR)
    withdrawn = mapping("4", start=NOON + HOUR, end=NOON + HOUR)
    assert [(entry.rule, entry.validity) for entry in sheet(past, withdrawn, later, now)] == [
        (now, Validity.NOW),
        (later, Validity.SCHEDULED),
        (past, Validity.PAST),
    ]


def test_a_general_price_is_replaced_by_the_projects_own_while_that_is_in_force() -> None:
    general, special = mapping("2"), mapping("1", scope=MINE, end=NOON + HOUR)
    [first, second] = sheet(general, special)
    assert (first.rule, first.replaced, first.special) == (general, True, False)
    assert (second.rule, second.replaced, second.special) == (special, False, True)
    ended = mapping("1", scope=MINE, end=NOON)
    assert [entry.replaced for entry in sheet(general, ended)] == [False, False]
    other_value = mapping("1", "flavor", "small", scope=MINE)
    assert not any(entry.replaced for entry in sheet(general, other_value))


def test_thresholds_are_ranges_of_those_in_force_at_the_same_time() -> None:
    assert ranges(threshold("10"), threshold("100"), threshold("50", end=NOON)) == [
        ("10", "100"),
        ("100", ""),
        ("50", "100"),
    ]


def test_thresholds_of_other_conditions_and_groups_do_not_end_a_range() -> None:
    others = threshold("20", "vcpus"), threshold("30", group="a"), mapping("40")
    assert ("10", "") in ranges(threshold("10"), *others)


def test_another_projects_threshold_ends_no_range() -> None:
    rules = threshold("10"), threshold("20", scope=THEIRS)
    assert ranges(*rules) == [("10", "")]
    assert ranges(*rules, scope=quote.NO_SCOPE) == [("10", "")]
    assert ranges(*rules, scope=THEIRS) == [("10", "20"), ("20", "")]


COSTS = st.sampled_from(["0", "0.5", "2", "3.25"]).map(Decimal)
INSTANTS = st.sampled_from([None, NOON - HOUR, NOON, NOON + HOUR])


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    kind, group = draw(st.sampled_from(CostType)), draw(st.sampled_from([None, "g"]))
    scope = draw(st.sampled_from([None, MINE, THEIRS]))
    return Terms(draw(COSTS), kind, group, scope, draw(INSTANTS), draw(INSTANTS))


LABELS = st.sampled_from([None, "flavor", "vcpus"])
RULES = st.one_of(
    st.builds(
        lambda label, value, terms: MappingRule(
            RuleTarget("vm", label), value if label else None, terms
        ),
        LABELS,
        st.sampled_from(["small", "4", None]),
        some_terms(),
    ),
    st.builds(
        lambda label, level, terms: ThresholdRule(RuleTarget("vm", label), Decimal(level), terms),
        LABELS,
        st.integers(0, 5),
        some_terms(),
    ),
)


def without_overlaps(rules: list[Rule]) -> tuple[Rule, ...]:
    """Return the first rules of which no two of one identity are in force at one time."""
    valid: list[Rule] = []
    for number, rule in enumerate(rules, 1):
        stored = dataclasses.replace(rule, id=number)
        if not any(rule_change.find_overlaps([*valid, stored])):
            valid.append(stored)
    return tuple(valid)


BOOKS = st.lists(RULES, max_size=12).map(without_overlaps).map(lambda rules: RuleBook(1, rules))


def price(book: RuleBook, scope: str, quantity: int, labels: dict[str, str]) -> Decimal:
    period = Period(NOON, NOON + HOUR)
    price_list = PriceList([Hashmap()], book)
    return quote.quote(price_list, period, "vm", Decimal(quantity), labels, scope).explanation.price


def in_force(entries: list[PriceEntry]) -> Iterator[Rule]:
    for entry in entries:
        if entry.validity is Validity.NOW and not entry.replaced:
            yield entry.rule


@given(
    BOOKS,
    st.sampled_from([MINE, THEIRS, quote.NO_SCOPE]),
    st.integers(0, 6),
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(["small", "4", "1"]) for name in ("flavor", "vcpus")}
    ),
)
def test_the_prices_in_force_give_what_the_project_is_charged(
    book: RuleBook, scope: str, quantity: int, labels: dict[str, str]
) -> None:
    rules = tuple(in_force(sheet(*book.rules, scope=scope)))
    charged = price(book, scope, quantity, labels)
    assert price(RuleBook(1, rules), scope, quantity, labels) == charged


@given(BOOKS)
def test_a_price_list_is_the_same_whatever_others_have(book: RuleBook) -> None:
    alone = [rule for rule in book.rules if rule.terms.scope != THEIRS]
    assert sheet(*book.rules) == sheet(*alone)


@given(BOOKS, st.integers(0, 7))
def test_a_level_counts_exactly_in_its_range(book: RuleBook, quantity: int) -> None:
    """Of the thresholds on the quantity that hold, at most one of a group has it in its range."""
    groups = [
        entry.rule.terms.group
        for entry in sheet(*book.rules)
        if isinstance(entry.rule, ThresholdRule)
        and entry.rule.target.label is None
        and entry.validity is Validity.NOW
        and not entry.replaced
        and entry.rule.level <= quantity
        and (entry.ceiling is None or quantity < entry.ceiling)
    ]
    assert len(groups) == len(set(groups))
