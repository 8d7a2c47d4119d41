"""The columns of an export, in their order: all mandatory ones of FOCUS 1.2, and what applies."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.Enum):
    """What a column holds; JSON is an object as text."""

    TEXT = "text"
    PRICE = "decimal, 28 places"
    QUANTITY = "decimal, 18 places"
    COUNT = "whole number"
    TIME = "time, UTC"
    JSON = "JSON"


class Column(NamedTuple):
    """A column."""

    name: str
    kind: Kind = Kind.TEXT


#: Those of FOCUS by name, then ratekit's own, which start with ``x_`` by the standard.
COLUMNS = (
    Column("AvailabilityZone"),
    Column("BilledCost", Kind.PRICE),
    Column("BillingAccountId"),
    Column("BillingAccountName"),
    Column("BillingAccountType"),
    Column("BillingCurrency"),
    Column("BillingPeriodEnd", Kind.TIME),
    Column("BillingPeriodStart", Kind.TIME),
    Column("ChargeCategory"),
    Column("ChargeClass"),
    Column("ChargeDescription"),
    Column("ChargeFrequency"),
    Column("ChargePeriodEnd", Kind.TIME),
    Column("ChargePeriodStart", Kind.TIME),
    Column("ConsumedQuantity", Kind.QUANTITY),
    Column("ConsumedUnit"),
    Column("ContractedCost", Kind.PRICE),
    Column("ContractedUnitPrice", Kind.PRICE),
    Column("EffectiveCost", Kind.PRICE),
    Column("InvoiceIssuerName"),
    Column("ListCost", Kind.PRICE),
    Column("ListUnitPrice", Kind.PRICE),
    Column("PricingCategory"),
    Column("PricingQuantity", Kind.QUANTITY),
    Column("PricingUnit"),
    Column("ProviderName"),
    Column("PublisherName"),
    Column("RegionId"),
    Column("RegionName"),
    Column("ResourceId"),
    Column("ResourceName"),
    Column("ResourceType"),
    Column("ServiceCategory"),
    Column("ServiceName"),
    Column("ServiceSubcategory"),
    Column("SkuId"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", Kind.JSON),
    Column("SkuPriceId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("SubAccountType"),
    Column("Tags", Kind.JSON),
    Column("x_FrameCount", Kind.COUNT),
)
