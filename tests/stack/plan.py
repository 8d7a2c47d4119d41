"""The content of the cloud: projects, resources, their histories and every measure.

Pure and deterministic: the same four arguments give the same plan. From ``stack.json`` a test
can therefore rebuild what Gnocchi was filled with, and compute a correct answer without asking
Gnocchi. The plan names projects; Keystone gives them ids.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

HOUR = datetime.timedelta(hours=1)
STEP = datetime.timedelta(seconds=300)
#: The archive policy of nearly all metrics.
DEFAULT_POLICY = "ratekit"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ratekit/tests/stack")


def stable_id(name: str) -> uuid.UUID:
    """Return the id that ``name`` has in every plan."""
    return uuid.uuid5(_NAMESPACE, name)


class Grant(enum.Enum):
    """How the service user gets the role ``rating`` on a project."""

    DIRECT = "direct"
    GROUP = "group"
    INHERITED = "inherited"
    NONE = "none"


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """A Keystone project in the default domain.

    :ivar parent: name of the parent project; None is the domain itself
    """

    name: str
    grant: Grant = Grant.DIRECT
    enabled: bool = True
    parent: str | None = None


class Measure(NamedTuple):
    """One sample: the instant (aware, UTC) and the value, exact in binary too."""

    at: datetime.datetime
    value: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """The attributes of a resource while ``begin <= t < end``.

    :ivar end: None for the current revision
    :ivar ended_at: the ``ended_at`` that this revision carries
    """

    begin: datetime.datetime
    end: datetime.datetime | None
    attributes: Mapping[str, str]
    ended_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A Gnocchi resource with its whole history.

    :ivar name: unique in the plan and never changed, unlike ``display_name``
    :ivar revisions: oldest first, without gaps; at least one
    :ivar measures: by metric, oldest first; an empty tuple is a metric
        that exists and has no measures
    :ivar archive_policy: of its metrics
    """

    name: str
    id: uuid.UUID
    type: str
    project: str
    user_id: str
    started_at: datetime.datetime
    revisions: tuple[Revision, ...]
    measures: Mapping[str, tuple[Measure, ...]]
    archive_policy: str = DEFAULT_POLICY

    @property
    def ended_at(self) -> datetime.datetime | None:
        """Time of deletion; None: it still exists."""
        return self.revisions[-1].ended_at

    def values(
        self, metric: str, begin: datetime.datetime, end: datetime.datetime
    ) -> tuple[Decimal, ...]:
        """Return the values measured in ``[begin, end)``, oldest first."""
        return tuple(m.value for m in self.measures.get(metric, ()) if begin <= m.at < end)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a stack is filled with.

    :ivar begin: instant of the first measure, on the hour
    :ivar end: first instant without measures, on the hour
    """

    begin: datetime.datetime
    end: datetime.datetime
    projects: tuple[Project, ...]
    resources: tuple[Resource, ...]

    @property
    def turning_hour(self) -> datetime.datetime:
        """Start of the hour in which the special cases change (see cases.py)."""
        return turning_hour(self.begin, self.end)

    def project(self, name: str) -> Project:
        """:raises KeyError: no such project."""
        return {project.name: project for project in self.projects}[name]

    def resource(self, name: str) -> Resource:
        """:raises KeyError: no such resource."""
        return {resource.name: resource for resource in self.resources}[name]

    def hours(self) -> Iterator[datetime.datetime]:
        """Return the start of each hour of the plan."""
        count = (self.end - self.begin) // HOUR
        return (self.begin + n * HOUR for n in range(count))


def turning_hour(begin: datetime.datetime, end: datetime.datetime) -> datetime.datetime:
    """Return the middle of the plan, on the hour."""
    return begin + (end - begin) // HOUR // 2 * HOUR
