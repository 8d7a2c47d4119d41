"""Hashmap rules: costs of usage, for all scopes or one, from a time until a time.

A line is what operators see as one rule although its price changed: rules each of which follows
another at once, so that at most one of them is in force now or later (:mod:`.line`).

A rule file says service and field (:mod:`ratekit.files.rules_file`), and so do the database's
columns (:mod:`ratekit.storage.rules.rows`). Everywhere else they are a metric and a label.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal

from ratekit.domain import period


class CostType(enum.Enum):
    """How a cost enters the price: as an amount per unit, or as a factor."""

    FLAT = "flat"
    RATE = "rate"


@dataclasses.dataclass(frozen=True, slots=True)
class RuleTarget:
    """The usage that a rule prices: all of a metric, or by one of its labels.

    :ivar metric: public name
    :ivar label: name of the label that the rule compares; None: it compares none
    """

    metric: str
    label: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """The fields that mappings and thresholds share.

    :ivar cost: finite
    :ivar type: flat or rate
    :ivar group: rules combine within a group; None: the group of the rules without a group
    :ivar scope: id of the only scope it applies to; None: all scopes
    :ivar start: first instant in force, UTC; None: in force since ever
    :ivar end: first instant no longer in force, UTC; None: no end
    """

    cost: Decimal
    type: CostType
    group: str | None = None
    scope: str | None = None
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None

    def __post_init__(self) -> None:
        if not self.cost.is_finite():
            raise ValueError(f"expected a finite cost, not {self.cost}")
        for instant in (self.start, self.end):
            if instant is not None:
                period.require_utc(instant)

    def in_force(self, instant: datetime.datetime) -> bool:
        """Return whether ``start <= instant < end``."""
        return (self.start is None or self.start <= instant) and (
            self.end is None or instant < self.end
        )


@dataclasses.dataclass(frozen=True, slots=True)
class MappingRule:
    """A cost of all usage of a metric, or of usage with one value of a label.

    :ivar value: text that the label must equal; None: the label must be null or, if the target
        has no label, nothing is compared
    :ivar id: the storage's id; None: not stored
    :ivar line: id of the first rule of its line; None: it is not stored and starts a line
    :ivar name: for people
    :ivar description: for people
    """

    target: RuleTarget
    value: str | None
    terms: Terms
    id: int | None = dataclasses.field(default=None, compare=False)
    line: int | None = dataclasses.field(default=None, compare=False)
    name: str | None = dataclasses.field(default=None, compare=False)
    description: str | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.value is not None and self.target.label is None:
            raise ValueError("expected no value for a mapping without a label")


@dataclasses.dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A cost from a level of the quantity on or, with a label, of the label's number.

    :ivar level: finite, at least 0
    :ivar id: the storage's id; None: not stored
    :ivar line: id of the first rule of its line; None: it is not stored and starts a line
    :ivar name: for people
    :ivar description: for people
    """

    target: RuleTarget
    level: Decimal
    terms: Terms
    id: int | None = dataclasses.field(default=None, compare=False)
    line: int | None = dataclasses.field(default=None, compare=False)
    name: str | None = dataclasses.field(default=None, compare=False)
    description: str | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.level.is_finite() or self.level < 0:
            raise ValueError(f"expected a finite level of at least 0, not {self.level}")


Rule = MappingRule | ThresholdRule


@dataclasses.dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules, past, present and future, at one version.

    :ivar version: increases by 1 with every change
    """

    version: int
    rules: tuple[Rule, ...]
