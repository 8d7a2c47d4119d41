"""What is stored about price rules besides the rules: their names, and who made them.

The words are CloudKitty's, which its API has: a service is a metric, a field is a label.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from ratekit.domain.rules.rule import Rule, RuleBook, RuleTarget, ThresholdRule


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceRow:
    """A metric that rules may price.

    :ivar id: the storage's id
    :ivar hidden: it was deleted; only the history of the rules refers to it
    """

    id: int
    name: str
    hidden: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRow:
    """A label of a metric that rules may compare.

    :ivar id: the storage's id
    :ivar service_id: the storage's id of its service
    :ivar hidden: as of a service
    """

    id: int
    service_id: int
    name: str
    hidden: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of rules.

    :ivar id: the storage's id
    :ivar hidden: as of a service
    """

    id: int
    name: str
    hidden: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Who made a change, and when.

    :ivar version: of the rules after it
    :ivar made_at: UTC
    """

    version: int
    made_at: datetime.datetime
    made_by: str


@dataclasses.dataclass(frozen=True, slots=True)
class RuleRecord:
    """When a stored rule was opened and closed, and by whom.

    :ivar created_at: UTC
    :ivar closed_at: when its end was last changed, UTC; None: never
    :ivar opening: None: it is older than the history
    :ivar closing: the last one; None: it was never closed, or before the history began
    """

    created_at: datetime.datetime
    closed_at: datetime.datetime | None
    opening: Signature | None
    closing: Signature | None


#: A stored rule's unique key: whether it is a threshold, and its id.
RuleKey = tuple[bool, int | None]


def rule_key(rule: Rule) -> RuleKey:
    """Return the key of a stored rule: mappings and thresholds have ids of their own."""
    return isinstance(rule, ThresholdRule), rule.id


@dataclasses.dataclass(frozen=True, slots=True)
class Catalog:
    """All rules and names, at one version.

    :ivar records: one for each rule of the book
    """

    book: RuleBook
    services: tuple[ServiceRow, ...]
    fields: tuple[FieldRow, ...]
    groups: tuple[GroupRow, ...]
    records: Mapping[RuleKey, RuleRecord]


@dataclasses.dataclass(frozen=True, slots=True)
class NameChange:
    """Services, fields and groups to create or to hide; what exists already is shown again.

    :ivar targets: services, and fields with their services
    :ivar groups: names
    :ivar hide: rows that only the history refers to from now on
    """

    targets: tuple[RuleTarget, ...] = ()
    groups: tuple[str, ...] = ()
    hide: tuple[ServiceRow | FieldRow | GroupRow, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is created or hidden."""
        return not (self.targets or self.groups or self.hide)


NO_NAMES = NameChange()
