"""What the plan's resources are made of: flavors, attributes, gauges."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping

from tests.stack import samples
from tests.stack.plan import USUAL, Measure, Resource, Revision, stable_id


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    """A size of instances; ``memory`` in MiB."""

    name: str
    vcpus: int
    memory: int

    @property
    def id(self) -> str:
        return str(stable_id(f"flavor {self.name}"))


SMALL = Flavor("m1.small", 1, 2048)
MEDIUM = Flavor("m1.medium", 2, 4096)
# 2048 for 20 minutes and 8192 for 40 have a whole mean (6144); with 4096 it would
# be 3413.33…, so the instance that is resized becomes a large one.
LARGE = Flavor("m1.large", 4, 8192)
FLAVORS = (SMALL, MEDIUM, LARGE)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """The time in which something is measured, ``[begin, end)``.

    :ivar origin: the plan's begin, from which samples are counted
    """

    origin: datetime.datetime
    begin: datetime.datetime
    end: datetime.datetime

    def measure(self, formula: samples.Formula) -> tuple[Measure, ...]:
        return samples.measure(formula, self.origin, self.begin, self.end)


def instance(name: str, flavor: Flavor, display_name: str | None = None) -> dict[str, str]:
    """Attributes of the instance ``name``."""
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
    """CPU time in ns (a counter) and memory in MiB."""
    return {"cpu": span.measure(samples.cpu_time(seed)), "memory": span.measure(memory)}


def resource_id(name: str) -> uuid.UUID:
    """The id of the resource that the plan calls ``name``."""
    return stable_id(f"resource {name}")


def assemble(
    name: str,
    kind: str,
    project: str,
    life: tuple[Revision, ...],
    measures: Mapping[str, tuple[Measure, ...]],
    archive_policy: str = USUAL,
) -> Resource:
    """A resource that started with its first revision, as Gnocchi has it by default."""
    return Resource(
        name=name,
        id=resource_id(name),
        type=kind,
        project=project,
        user_id=stable_id(f"user of {project}").hex,
        started_at=life[0].begin,
        revisions=life,
        measures=measures,
        archive_policy=archive_policy,
    )
