"""FOCUS 1.2 as data, written from the specification, and what of an export breaks it.

ratekit's code does not use it: it is a second opinion. Columns are those of the dataset "Cost and
Usage"; a condition holds for each row.
"""

from __future__ import annotations

import collections
import csv
import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

Row = Mapping[str, str]

MANDATORY, CONDITIONAL, RECOMMENDED = "mandatory", "conditional", "recommended"

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CURRENCY = re.compile("[A-Z]{3}")


class Rule(NamedTuple):
    """What a column must be.

    :ivar level: whether it must be there
    :ivar type: ``text``, ``decimal``, ``time``, ``currency`` or ``object``
    :ivar nullable: it may be empty
    :ivar allowed: the only values; empty: any
    """

    level: str
    type: str
    nullable: bool = False
    allowed: Sequence[str] = ()


CATEGORIES: Mapping[str, Sequence[str]] = {
    "AI and Machine Learning": [
        "AI Platforms",
        "Bots",
        "Generative AI",
        "Machine Learning",
        "Natural Language Processing",
    ],
    "Analytics": [
        "Analytics Platforms",
        "Business Intelligence",
        "Data Processing",
        "Search",
        "Streaming Analytics",
    ],
    "Business Applications": ["Productivity and Collaboration"],
    "Compute": [
        "Containers",
        "End User Computing",
        "Quantum Compute",
        "Serverless Compute",
        "Virtual Machines",
    ],
    "Databases": [
        "Caching",
        "Data Warehouses",
        "Ledger Databases",
        "NoSQL Databases",
        "Relational Databases",
        "Time Series Databases",
    ],
    "Developer Tools": [
        "Developer Platforms",
        "Continuous Integration and Deployment",
        "Development Environments",
        "Source Code Management",
        "Quality Assurance",
    ],
    "Identity": ["Identity and Access Management"],
    "Integration": ["API Management", "Messaging", "Workflow Orchestration"],
    "Internet of Things": ["IoT Analytics", "IoT Platforms"],
    "Management and Governance": [
        "Architecture",
        "Compliance",
        "Cost Management",
        "Data Governance",
        "Disaster Recovery",
        "Endpoint Management",
        "Observability",
        "Support",
    ],
    "Media": ["Content Creation", "Gaming", "Media Streaming", "Mixed Reality"],
    "Migration": ["Data Migration", "Resource Migration"],
    "Mobile": [],
    "Multicloud": ["Multicloud Integration"],
    "Networking": [
        "Application Networking",
        "Content Delivery",
        "Network Connectivity",
        "Network Infrastructure",
        "Network Routing",
        "Network Security",
    ],
    "Security": [
        "Secret Management",
        "Security Posture Management",
        "Threat Detection and Response",
    ],
    "Storage": [
        "Backup Storage",
        "Block Storage",
        "File Storage",
        "Object Storage",
        "Storage Platforms",
    ],
    "Web": ["Application Platforms"],
    "Other": [],
}
SUBCATEGORIES = [
    name for category, names in CATEGORIES.items() for name in (*names, f"Other ({category})")
]

COLUMNS: Mapping[str, Rule] = {
    "AvailabilityZone": Rule(CONDITIONAL, "text", nullable=True),
    "BilledCost": Rule(MANDATORY, "decimal"),
    "BillingAccountId": Rule(MANDATORY, "text"),
    "BillingAccountName": Rule(MANDATORY, "text", nullable=True),
    "BillingAccountType": Rule(CONDITIONAL, "text"),
    "BillingCurrency": Rule(MANDATORY, "currency"),
    "BillingPeriodEnd": Rule(MANDATORY, "time"),
    "BillingPeriodStart": Rule(MANDATORY, "time"),
    "ChargeCategory": Rule(
        MANDATORY, "text", allowed=("Usage", "Purchase", "Tax", "Credit", "Adjustment")
    ),
    "ChargeClass": Rule(MANDATORY, "text", nullable=True, allowed=("Correction",)),
    "ChargeDescription": Rule(MANDATORY, "text", nullable=True),
    "ChargeFrequency": Rule(RECOMMENDED, "text", allowed=("One-Time", "Recurring", "Usage-Based")),
    "ChargePeriodEnd": Rule(MANDATORY, "time"),
    "ChargePeriodStart": Rule(MANDATORY, "time"),
    "ConsumedQuantity": Rule(CONDITIONAL, "decimal", nullable=True),
    "ConsumedUnit": Rule(CONDITIONAL, "text", nullable=True),
    "ContractedCost": Rule(MANDATORY, "decimal"),
    "ContractedUnitPrice": Rule(CONDITIONAL, "decimal", nullable=True),
    "EffectiveCost": Rule(MANDATORY, "decimal"),
    "InvoiceIssuerName": Rule(MANDATORY, "text"),
    "ListCost": Rule(MANDATORY, "decimal"),
    "ListUnitPrice": Rule(CONDITIONAL, "decimal", nullable=True),
    "PricingCategory": Rule(
        CONDITIONAL, "text", nullable=True, allowed=("Standard", "Dynamic", "Committed", "Other")
    ),
    "PricingQuantity": Rule(MANDATORY, "decimal", nullable=True),
    "PricingUnit": Rule(MANDATORY, "text", nullable=True),
    "ProviderName": Rule(MANDATORY, "text"),
    "PublisherName": Rule(MANDATORY, "text"),
    "RegionId": Rule(CONDITIONAL, "text", nullable=True),
    "RegionName": Rule(CONDITIONAL, "text", nullable=True),
    "ResourceId": Rule(CONDITIONAL, "text", nullable=True),
    "ResourceName": Rule(CONDITIONAL, "text", nullable=True),
    "ResourceType": Rule(CONDITIONAL, "text", nullable=True),
    "ServiceCategory": Rule(MANDATORY, "text", allowed=tuple(CATEGORIES)),
    "ServiceName": Rule(MANDATORY, "text"),
    "ServiceSubcategory": Rule(RECOMMENDED, "text", allowed=SUBCATEGORIES),
    "SkuId": Rule(CONDITIONAL, "text", nullable=True),
    "SkuMeter": Rule(CONDITIONAL, "text", nullable=True),
    "SkuPriceDetails": Rule(CONDITIONAL, "object", nullable=True),
    "SkuPriceId": Rule(CONDITIONAL, "text", nullable=True),
    "SubAccountId": Rule(CONDITIONAL, "text", nullable=True),
    "SubAccountName": Rule(CONDITIONAL, "text", nullable=True),
    "SubAccountType": Rule(CONDITIONAL, "text", nullable=True),
    "Tags": Rule(CONDITIONAL, "object", nullable=True),
}


def _is_usage(row: Row) -> bool:
    return row["ChargeCategory"] in ("Usage", "Purchase") and not row["ChargeClass"]


def _both(first: str, second: str) -> Callable[[Row], bool]:
    """Return whether both columns are null or neither is."""
    return lambda row: bool(row[first]) == bool(row[second])


def _product(unit_price: str, cost: str) -> Callable[[Row], bool]:
    """Return whether unit price times quantity is the cost, to the last of its 28 places.

    A charge of several frames is the sum of prices that were each rounded to 28 places.
    """

    def holds(row: Row) -> bool:
        product = Fraction(row[unit_price]) * Fraction(row["PricingQuantity"])
        tolerance = Fraction(row.get("x_FrameCount") or 1) / (2 * 10**28)
        return abs(product - Fraction(row[cost])) <= tolerance

    return holds


#: What holds between the columns of a row.
CONDITIONS: Mapping[str, Callable[[Row], bool]] = {
    "a provider that does not invoice bills 0": lambda row: (
        row["ProviderName"] == row["InvoiceIssuerName"] or Decimal(row["BilledCost"]) == 0
    ),
    "usage is no purchase": lambda row: (
        row["ChargeCategory"] != "Purchase" or row["ChargeFrequency"] != "Usage-Based"
    ),
    "periods end after they begin": lambda row: (
        row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        and row["BillingPeriodStart"] < row["BillingPeriodEnd"]
    ),
    "a charge is billed in the period in which it begins": lambda row: (
        row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["BillingPeriodEnd"]
    ),
    "usage has a unit price": lambda row: (
        not _is_usage(row) or bool(row["ListUnitPrice"] and row["ContractedUnitPrice"])
    ),
    "usage has a pricing quantity and category": lambda row: (
        not _is_usage(row) or bool(row["PricingQuantity"] and row["PricingCategory"])
    ),
    "usage has an SKU": lambda row: not _is_usage(row) or bool(row["SkuId"] and row["SkuPriceId"]),
    "usage has a consumed quantity": lambda row: (
        row["ChargeCategory"] != "Usage" or bool(row["ConsumedQuantity"])
    ),
    "unit prices are not below zero": lambda row: (
        min(Decimal(row["ListUnitPrice"]), Decimal(row["ContractedUnitPrice"])) >= 0
    ),
    "list cost is unit price times quantity": _product("ListUnitPrice", "ListCost"),
    "contracted cost is unit price times quantity": _product(
        "ContractedUnitPrice", "ContractedCost"
    ),
    "a consumed quantity has a unit": _both("ConsumedQuantity", "ConsumedUnit"),
    "a pricing quantity has a unit": _both("PricingQuantity", "PricingUnit"),
    "a resource has a type": _both("ResourceId", "ResourceType"),
    "a sub account has a name": _both("SubAccountId", "SubAccountName"),
    "a sub account has a type": _both("SubAccountId", "SubAccountType"),
    "an SKU has a meter": _both("SkuId", "SkuMeter"),
    "a resource with a name has an id": lambda row: (
        bool(row["ResourceId"]) or not row["ResourceName"]
    ),
    "a subcategory is of its category": lambda row: (
        row["ServiceSubcategory"]
        in (*CATEGORIES[row["ServiceCategory"]], f"Other ({row['ServiceCategory']})")
    ),
    "tags of the provider have a prefix": lambda row: (
        not row["Tags"] or all("/" in name for name in json.loads(row["Tags"]))
    ),
    "details of ratekit's own are marked as such": lambda row: (
        not row["SkuPriceDetails"]
        or all(name.startswith("x_") for name in json.loads(row["SkuPriceDetails"]))
    ),
}
#: The value of the first column always has the same value of the second.
FUNCTIONS = (
    ("SkuPriceId", "SkuId"),
    ("ServiceName", "ServiceCategory"),
    ("ServiceName", "ServiceSubcategory"),
    ("SubAccountId", "SubAccountName"),
    ("BillingAccountId", "BillingAccountName"),
)


def find_mistakes(lines: Sequence[str]) -> list[str]:
    """Return what of a CSV file breaks FOCUS.

    :param lines: with their ends
    """
    reader = csv.DictReader(lines, strict=True)
    names = reader.fieldnames or ()
    mistakes = [
        f"no column {name}"
        for name, rule in COLUMNS.items()
        if rule.level != CONDITIONAL and name not in names
    ]
    mistakes += [
        f"column {name}"
        for name in names
        if (name not in COLUMNS and not name.startswith("x_")) or names.count(name) > 1
    ]
    values: dict[tuple[str, str], dict[str, set[str]]] = {
        pair: collections.defaultdict(set) for pair in FUNCTIONS
    }
    for number, row in enumerate(reader, 2):
        mistakes += [f"{number}: {text}" for text in _check_row(row)]
        for pair, seen in values.items():
            seen[row[pair[0]]].add(row[pair[1]])
    for (first, second), seen in values.items():
        mistakes += [
            f"{first} {value!r} has several {second}: {sorted(others)}"
            for value, others in seen.items()
            if len(others) > 1
        ]
    return mistakes


def _check_row(row: Row) -> Iterator[str]:
    broken = [text for name, rule in COLUMNS.items() for text in _check_value(name, rule, row)]
    yield from broken
    if not broken:
        yield from (text for text, holds in CONDITIONS.items() if not holds(row))


def _check_value(name: str, rule: Rule, row: Row) -> Iterator[str]:
    value = row[name]
    if value is None:
        yield f"{name} is missing"
        return
    if not value:
        if not rule.nullable:
            yield f"{name} is null"
        return
    if not value.strip():
        yield f"{name} is blank"
    if rule.allowed and value not in rule.allowed:
        yield f"{name} {value!r} is not allowed"
    if not _TYPES[rule.type](value):
        yield f"{name} {value!r} is no {rule.type}"


def _is_time(value: str) -> bool:
    return bool(_TIME.fullmatch(value)) and bool(datetime.datetime.fromisoformat(value))


def _is_object(value: str) -> bool:
    parsed = json.loads(value, object_pairs_hook=list)
    names = [name for name, _ in parsed]
    return len(set(names)) == len(names) and all(
        isinstance(entry, str | int | float | bool | None) for _, entry in parsed
    )


_TYPES: Mapping[str, Callable[[str], bool]] = {
    "text": lambda value: True,
    "decimal": lambda value: bool(_DECIMAL.fullmatch(value)),
    "time": _is_time,
    "currency": lambda value: bool(_CURRENCY.fullmatch(value)),
    "object": _is_object,
}
