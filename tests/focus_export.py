"""Exports as FOCUS in tests: written, read again, and held against the standard and the ledger."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from oslo_config import cfg

from ratekit import conf as core
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, Selection
from ratekit.export.focus import csv_lines
from ratekit.export.focus.bill import FocusBill, Order
from ratekit.interfaces import Storage
from tests.contract.given import START, hour
from tests.focus_rules import find_mistakes

Row = Mapping[str, str]

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


def build_conf(**overrides: Any) -> cfg.ConfigOpts:
    """Return a configuration with a currency."""
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    conf(args=[], default_config_files=[], default_config_dirs=[])
    conf.set_override("currency", "EUR", "rating")
    for name, value in overrides.items():
        section, _, option = name.partition("__")
        conf.set_override(option, value, section)
    return conf


def build_order(
    granularity: str = "hour",
    begin: datetime.datetime = START,
    end: datetime.datetime | None = None,
    scopes: AllScopes | frozenset[str] = ALL_SCOPES,
    zone: datetime.tzinfo = datetime.UTC,
) -> Order:
    """Return an order of the days of most tests."""
    return Order(Selection(begin, end or hour(31 * 24), scopes=scopes), granularity, zone)


def write(
    storage: Storage,
    order: Order,
    conf: cfg.ConfigOpts | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Return an export as text."""
    bill = open_bill(storage, order, conf, settings)
    return b"".join(csv_lines.write(bill.rows())).decode()


def open_bill(
    storage: Storage,
    order: Order,
    conf: cfg.ConfigOpts | None = None,
    settings: Mapping[str, Any] | None = None,
) -> FocusBill:
    """Return what is exported."""
    return FocusBill(conf or build_conf(), storage, settings or {}, order, csv_lines.CELLS)


def read(text: str) -> list[Row]:
    """Return the rows of an export, which follows the standard."""
    lines = io.StringIO(text, newline="").readlines()
    mistakes = find_mistakes(lines)
    assert not mistakes, mistakes[:9]
    return list(csv.DictReader(lines))


def add_up(rows: list[Row]) -> Fraction:
    """Return exactly what an export costs: by all four costs."""
    sums = {sum((Fraction(row[name]) for row in rows), Fraction(0)) for name in COSTS}
    [total] = sums
    return total


def charge_ledger(storage: Storage, order: Order) -> dict[tuple[Any, ...], tuple[int, Fraction]]:
    """Return number and price of frames by scope, metric and the charge period's name."""
    groupby = ("scope", "metric", order.granularity)
    return {
        (row.group["scope"], row.group["metric"], _utc(row.group[order.granularity])): (
            row.points,
            Fraction(row.price),
        )
        for row in storage.reports.summary(order.selection, groupby, order.zone)
    }


def charge_export(rows: list[Row]) -> dict[tuple[Any, ...], tuple[int, Fraction]]:
    """Return the same by an export."""
    sums: dict[tuple[Any, ...], tuple[int, Fraction]] = {}
    for row in rows:
        key = row["SubAccountId"], row["SkuMeter"], row["ChargePeriodStart"]
        count, price = sums.get(key, (0, Fraction(0)))
        sums[key] = count + int(row["x_FrameCount"]), price + Fraction(row["BilledCost"])
    return sums


def _utc(instant: object) -> str:
    assert isinstance(instant, datetime.datetime)
    return instant.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
