"""The price list of a bill has the words of the page of prices."""

from __future__ import annotations

import datetime
from decimal import Decimal

from ratekit.admin import price_sheet
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.export.price_rows import price_rows

NOW = datetime.datetime(2026, 3, 15, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
SIZE, FLAVOR = RuleTarget("volume.size"), RuleTarget("volume.size", "type")


def terms(cost: str, kind: CostType = CostType.FLAT, **fields: object) -> Terms:
    return Terms(Decimal(cost), kind, **fields)  # type: ignore[arg-type]


def test_words_of_a_bill() -> None:
    rules = (
        MappingRule(SIZE, None, terms("0.0003")),
        MappingRule(FLAVOR, "ssd", terms("2", CostType.RATE, group="disk")),
        MappingRule(FLAVOR, None, terms("0.1", scope="p1")),
        # One amount for the whole quantity, however large it is.
        ThresholdRule(SIZE, Decimal(1000), terms("25")),
        ThresholdRule(SIZE, Decimal(5000), terms("0.9", CostType.RATE)),
        ThresholdRule(RuleTarget("volume.size", "replicas"), Decimal(3), terms("0.5")),
    )
    sheet = price_sheet.build(RuleBook(1, rules), "p1", NOW)
    rows = price_rows(sheet, {"volume.size": "GiB"}, "EUR", HOUR)
    assert {(row.condition, row.cost) for row in rows} == {
        ("all usage", "0.0003 EUR per GiB and hour"),
        ("type is ssd (group disk)", "the price times 2"),
        ("no type; for this project alone", "0.1 EUR per GiB and hour"),
        ("quantity from 1,000 GiB to below 5,000 GiB", "plus 25 EUR per hour"),
        ("quantity from 5,000 GiB", "the price times 0.9"),
        ("replicas from 3", "plus 0.5 EUR per GiB and hour"),
    }


def test_a_unit_and_a_currency_that_are_not_known() -> None:
    sheet = price_sheet.build(RuleBook(1, (MappingRule(SIZE, None, terms("2")),)), "p1", NOW)
    (row,) = price_rows(sheet, {}, "", datetime.timedelta(minutes=90))
    assert row.cost == "2 per unit and 1 h 30 min"
