"""Hashmap rules: what costs how much, for whom, from when to when."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal

from ratekit.domain import period


class CostType(enum.Enum):
    """How a cost enters the price: added per unit, or as a factor."""

    FLAT = "flat"
    RATE = "rate"


@dataclasses.dataclass(frozen=True, slots=True)
class Parent:
    """What a rule hangs on: a service, or a field of a service.

    :ivar service: a metric's public name
    :ivar field: name of a label, or None for the service itself
    """

    service: str
    field: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What mappings and thresholds have in common.

    :ivar cost: finite
    :ivar type: flat or rate
    :ivar group: rules combine within a group; None is a group of its own
    :ivar scope: id of the one scope it is for, or None for all
    :ivar start: first instant in force, UTC; None reaches back for ever
    :ivar end: first instant no longer in force, UTC; None never ends
    """

    cost: Decimal
    type: CostType
    group: str | None = None
    scope: str | None = None
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None

    def __post_init__(self) -> None:
        if not self.cost.is_finite():
            raise ValueError(f"a cost is finite, not {self.cost}")
        for instant in (self.start, self.end):
            if instant is not None:
                period.require_utc(instant)

    def in_force(self, instant: datetime.datetime) -> bool:
        """Tell whether ``start <= instant < end``."""
        return (self.start is None or self.start <= instant) and (
            self.end is None or instant < self.end
        )


@dataclasses.dataclass(frozen=True, slots=True)
class MappingRule:
    """A cost for a service, or for one value of a field.

    :ivar value: text the label must equal; None exactly when the parent is a service
    :ivar id: storage's id, None for a rule that is not stored
    """

    parent: Parent
    value: str | None
    terms: Terms
    id: int | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if (self.value is None) != (self.parent.field is None):
            raise ValueError("a field's mapping has a value, a service's has none")


@dataclasses.dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A cost from a level on: of the quantity (service) or of a label's number (field).

    :ivar level: finite, at least 0
    :ivar id: storage's id, None for a rule that is not stored
    """

    parent: Parent
    level: Decimal
    terms: Terms
    id: int | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.level.is_finite() or self.level < 0:
            raise ValueError(f"a level is finite and at least 0, not {self.level}")


Rule = MappingRule | ThresholdRule


@dataclasses.dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules that were ever in force, at one version.

    :ivar version: grows with every change
    """

    version: int
    rules: tuple[Rule, ...]
