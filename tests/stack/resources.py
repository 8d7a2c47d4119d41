"""What the plan's resources consist of: flavors, attributes, measures."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping

from tests.stack import samples
from tests.stack.plan import DEFAULT_POLICY, Measure, Resource, Revision, stable_id


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    """A flavor of instances; ``memory`` in MiB."""

    name: str
    vcpus: int
    memory: int

    @property
    def id(self) -> str:
        return str(stable_id(f"flavor {self.name}"))


SMALL = Flavor("m1.small", 1, 2048)
MEDIUM = Flavor("m1.medium", 2, 4096)
# 2048 for 20 minutes and 8192 for 40 have an integer mean (6144); with 4096 it would
# be 3413.33…, so the resized instance becomes a large one.
LARGE = Flavor("m1.large", 4, 8192)
FLAVORS = (SMALL, MEDIUM, LARGE)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """The time in which something is measured, ``[begin, end)``.

    :ivar origin: the plan's start, from which samples are counted
    """

    origin: datetime.datetime
    begin: datetime.datetime
    end: datetime.datetime

    def measure(self, formula: samples.Formula) -> tuple[Measure, ...]:
        return samples.measure(formula, self.origin, self.begin, self.end)


def instance(name: str, flavor: Flavor, display_name: str | None = None) -> dict[str, str]:
    """Return the attributes of the instance ``name``."""
    return {
        "display_name": display_name or name,
        "flavor_id": flavor.id,
        "flavor_name": flavor.name,
        "vcpus": str(flavor.vcpus),
        "host": "compute-1",
        "image_ref": str(stable_id("image debian")),
    }


def instance_metrics(
    seed: int, span: Span, memory: samples.Formula
) -> dict[str, tuple[Measure, ...]]:
    """Return CPU time in ns (a counter) and memory in MiB."""
    return {"cpu": span.measure(samples.cpu_time(seed)), "memory": span.measure(memory)}


def resource_id(name: str) -> uuid.UUID:
    """Return the id of the resource that the plan calls ``name``."""
    return stable_id(f"resource {name}")


def assemble(
    name: str,
    kind: str,
    project: str,
    revisions: tuple[Revision, ...],
    measures: Mapping[str, tuple[Measure, ...]],
    archive_policy: str = DEFAULT_POLICY,
) -> Resource:
    """Return a resource that started with its first revision, Gnocchi's default."""
    return Resource(
        name=name,
        id=resource_id(name),
        type=kind,
        project=project,
        user_id=stable_id(f"user of {project}").hex,
        started_at=revisions[0].begin,
        revisions=revisions,
        measures=measures,
        archive_policy=archive_policy,
    )
