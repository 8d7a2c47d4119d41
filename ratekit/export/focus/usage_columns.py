"""What the columns say of usage, whatever it costs, and of its price, whatever the usage is."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from ratekit.domain.reporting.reports import FrameRow
from ratekit.export.focus.columns import COLUMNS
from ratekit.export.focus.services import Services
from ratekit.export.focus.skus import Sku

#: Unit of a price that is none per unit of the usage.
_CHARGES = "Charges"
#: Before the names of labels, which the provider gives to usage.
_TAG_PREFIX = "ratekit/"
_NAME_LABELS = ("display_name", "name")
_REGION_LABELS = ("region_id", "region")
_ZONE_LABELS = ("availability_zone",)
#: Keys of scopes that are projects.
_PROJECT_KEYS = ("project_id", "tenant_id")

#: Place of each column in a row.
INDEX = {column.name: index for index, column in enumerate(COLUMNS)}
#: Those of unit prices.
UNIT_PRICES = (INDEX["ContractedUnitPrice"], INDEX["ListUnitPrice"])

#: A value for each column.
Row = list[Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Cells:
    """How a kind of file writes values; what is null is None in all."""

    text: Callable[[str], Any]
    number: Callable[[Decimal], Any]
    time: Callable[[datetime.datetime], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Who bills whom.

    :ivar provider: who provides, publishes and invoices: FOCUS wants a billed cost of 0 where the
        provider does not invoice
    :ivar billing_id: of the account that is invoiced
    :ivar billing_name: likewise
    :ivar currency: code of ISO 4217
    :ivar region: of usage whose labels have none; empty: none
    :ivar scope_key: what a scope is
    :ivar scopes: names of scopes, by id
    """

    provider: str
    billing_id: str
    billing_name: str
    currency: str
    region: str
    scope_key: str
    scopes: Mapping[str, str]


class UsageColumns:
    """Fills the columns that do not depend on time and amount."""

    def __init__(self, account: Account, services: Services, cells: Cells) -> None:
        self._account = account
        self._services = services
        self._cells = cells

    def describe(self, frame: FrameRow) -> Row:
        """Return a row with what is the same for all frames with the same labels."""
        account, service = self._account, self._services.find(frame.metric)
        labels = {**frame.metadata, **frame.groupby}
        resource = _first(labels, [service.resource_key])
        region = _first(labels, _REGION_LABELS) or account.region
        used = (account.scope_key, service.resource_key)
        tags = {
            f"{_TAG_PREFIX}{name}": value
            for name, value in sorted(labels.items())
            if name not in used
        }
        return self._fill(
            [None] * len(COLUMNS),
            AvailabilityZone=_first(labels, _ZONE_LABELS),
            BillingAccountId=account.billing_id,
            BillingAccountName=account.billing_name,
            BillingAccountType="Billing Account",
            BillingCurrency=account.currency,
            ChargeCategory="Usage",
            ChargeFrequency="Usage-Based",
            ConsumedUnit=frame.unit,
            InvoiceIssuerName=account.provider,
            PricingCategory="Standard",
            ProviderName=account.provider,
            PublisherName=account.provider,
            RegionId=region,
            RegionName=region,
            ResourceId=resource,
            ResourceName=_first(labels, _NAME_LABELS) if resource else None,
            ResourceType=service.resource_type if resource else None,
            ServiceCategory=service.category,
            ServiceName=service.name,
            ServiceSubcategory=service.subcategory,
            SkuMeter=frame.metric,
            SubAccountId=frame.scope,
            SubAccountName=_first(account.scopes, [frame.scope]) or frame.scope,
            SubAccountType="Project" if account.scope_key in _PROJECT_KEYS else account.scope_key,
            Tags=_json(tags),
        )

    def price(self, row: Row, frame: FrameRow, sku: Sku) -> Row:
        """Return a copy of a row with what is the same for all charges of an SKU."""
        rules = "; ".join(sku.rules)
        title = self._services.find(frame.metric).title
        priced = self._fill(
            row,
            ChargeDescription=f"{title}: {rules}" if rules else title,
            PricingUnit=_CHARGES if sku.unit_price is None else frame.unit,
            SkuId=sku.sku_id,
            SkuPriceDetails=_json({"x_Rules": rules} if rules else {}),
            SkuPriceId=sku.price_id,
        )
        if sku.unit_price is not None:
            for index in UNIT_PRICES:
                # Unit prices of FOCUS are never below zero: the quantity has the sign.
                priced[index] = self._cells.number(sku.unit_price.copy_abs())
        return priced

    def _fill(self, row: Row, **values: str | None) -> Row:
        filled = row.copy()
        for name, value in values.items():
            # In FOCUS, an absent value is null and never an empty or blank text.
            filled[INDEX[name]] = self._cells.text(value) if value and value.strip() else None
        return filled


def _first(labels: Mapping[str, str | None], names: Iterable[str]) -> str | None:
    """Return the first value that is neither absent nor blank."""
    values = (labels.get(name) for name in names)
    return next((value for value in values if value and value.strip()), None)


def _json(values: Mapping[str, str | None]) -> str | None:
    """Return an object that needs no escapes but JSON's own, whatever it has; None: it is empty."""
    text = json.dumps(values, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(values)
    return text if values else None
