"""Which resources of a metric can be asked for together."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from ratekit import errors
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.index import Index, Listed, Ownership

#: Faulty resources beyond which it is not they that are at fault.
TOO_MANY = 5000
#: Resources of good policies that are looked at together, to find one of the right type.
_SOME = 200

#: A granularity in seconds to ask for, or what an archive policy lacks.
Destination = int | str
Owners = Mapping[str, frozenset[str]]
FindOwners = Callable[[Collection[str]], Mapping[str, Ownership]]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of Gnocchi's metrics of one name.

    :ivar granularity: seconds; 0: of each archive policy the largest that divides ``period``
    :ivar period: the collect period
    """

    metric: str
    resource_type: str
    scope_key: str
    method: str
    granularity: int
    period: datetime.timedelta

    def destination(self, policy: Policy) -> Destination:
        """Tell with which granularity a policy's metrics are asked for, or what it lacks."""
        lacks = []
        granularity = self.granularity or policy.widest(self.period)
        if granularity is None:
            seconds = self.period // datetime.timedelta(seconds=1)
            lacks.append(f"a granularity that divides the collect period, {seconds} s")
        elif datetime.timedelta(seconds=granularity) not in policy.kept:
            lacks.append(f"a granularity of {granularity} s")
        if self.method not in policy.methods:
            lacks.append(f"the aggregation method {self.method!r}")
        return " and ".join(lacks) if lacks or granularity is None else granularity


class PolicyMismatch(NamedTuple):
    """Why a resource cannot be asked for, and whose it is."""

    policy: str
    lacks: str
    owned: Ownership


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One request's share of the resources.

    :ivar only: the resources it asks for, by id, and whose they are; None: all but ``without``
    :ivar without: those it leaves out
    """

    granularity: int
    only: Owners | None = None
    without: Owners = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """How a metric's resources are asked for.

    :ivar routes: no resource is in two of them
    :ivar faults: those that are in none, by id; empty where they are too many
    :ivar general: what to tell an operator where no resource at all can be asked for
    """

    routes: tuple[Route, ...] = ()
    faults: Mapping[str, PolicyMismatch] = dataclasses.field(default_factory=dict)
    general: str | None = None


def routing(index: Index, policies: Mapping[str, Policy], wanted: Wanted) -> Routing:
    """Find out which resources are under which archive policy, in as few requests as it takes.

    One request lists a page of metrics. Where that is all, it is enough; else each archive
    policy is asked for by itself, and of those that are good for one granularity the largest
    group is not read to its end: its resources are the ones that are nowhere else.

    :raises ratekit.errors.TryLater: Gnocchi did not answer, or not sensibly
    """
    destinations = {name: wanted.destination(policy) for name, policy in policies.items()}
    groups, largest = _groups(index, wanted.metric, destinations)
    too_many = _too_many(wanted, groups)
    if too_many:
        return Routing(general=too_many)

    def owners(ids: Collection[str]) -> dict[str, Ownership]:
        return index.owners(wanted.resource_type, wanted.scope_key, ids)

    lacking = {
        id_: (policy, destination)
        for destination, group in groups.items()
        for id_, policy in group.items()
        if isinstance(destination, str)
    }
    faults = {id_: PolicyMismatch(*lacking[id_], owned) for id_, owned in owners(lacking).items()}
    good = {one: group for one, group in groups.items() if isinstance(one, int)}
    if faults and not _any_of_type(good.values(), owners):
        return Routing(faults=faults, general=_in_general(wanted, faults, policies))
    minorities = [
        Route(granularity, only={id_: one.scopes for id_, one in owners(group).items()})
        for granularity, group in sorted(good.items())
        if granularity != largest
    ]
    without = {id_: fault.owned.scopes for id_, fault in faults.items()}
    for route in minorities:
        without.update(route.only or {})
    open_to_all = wanted.granularity or largest
    rest = [] if open_to_all is None else [Route(open_to_all, without=without)]
    return Routing((*rest, *minorities), faults)


def _groups(
    index: Index, metric: str, destinations: Mapping[str, Destination]
) -> tuple[dict[Destination, dict[str, str]], int | None]:
    """Return resource -> policy by destination, and the granularity of the largest group."""
    groups: dict[Destination, dict[str, str]] = {}

    def take(pages: Iterator[tuple[list[Listed], bool]]) -> bool:
        rows, more = next(pages)
        for _, resource, policy in rows:
            if policy not in destinations:
                raise errors.InvalidResponse(f"Gnocchi has just got a new archive policy: {policy}")
            groups.setdefault(destinations[policy], {})[resource] = policy
        return more

    largest: Destination | None = None
    if take(index.metrics(metric)):
        unread = {policy: index.metrics(metric, policy) for policy in destinations}
        while unread:
            unread = {policy: pages for policy, pages in unread.items() if take(pages)}
            if _lacking_most(groups):
                break
            good = {one for policy in unread if isinstance(one := destinations[policy], int)}
            if len(good) == 1:
                (largest,) = good
                unread = {
                    one: pages for one, pages in unread.items() if destinations[one] != largest
                }
    if isinstance(largest, int):
        return groups, largest
    sizes = {one: len(group) for one, group in groups.items() if isinstance(one, int)}
    return groups, max(sizes, key=lambda one: (sizes[one], one), default=None)


def _lacking_most(groups: Mapping[Destination, Collection[str]]) -> str | None:
    """Return what so many lack that it is no use to list them all."""
    for lacks, group in groups.items():
        if isinstance(lacks, str) and len(group) > TOO_MANY:
            return lacks
    return None


def _too_many(wanted: Wanted, groups: Mapping[Destination, Mapping[str, str]]) -> str | None:
    lacks = _lacking_most(groups)
    if lacks is None:
        return None
    names = ", ".join(sorted(set(groups[lacks].values())))
    return (
        f"more than {TOO_MANY:,} resources have the metric {wanted.metric!r} under an archive "
        f"policy without {lacks} ({names}): set force_granularity and aggregation_method to "
        "what it has"
    )


def _any_of_type(groups: Iterable[Collection[str]], owners: FindOwners) -> bool:
    for group in groups:
        ids = sorted(group)
        if any(owners(ids[at : at + _SOME]) for at in range(0, len(ids), _SOME)):
            return True
    return False


def _in_general(
    wanted: Wanted, faults: Mapping[str, PolicyMismatch], policies: Mapping[str, Policy]
) -> str:
    """Say that the metric, not some resource of it, is at fault, and what there is instead."""
    shares = collections.Counter((fault.policy, fault.lacks) for fault in faults.values())
    told = "; ".join(
        f"{count} under {name!r}, which has not {lacks}, but "
        f"{policies[name].granularities()} and {', '.join(sorted(policies[name].methods)[:12])}"
        for (name, lacks), count in sorted(shares.items())
    )
    return (
        f"no resource of type {wanted.resource_type!r} has the metric {wanted.metric!r} under an "
        f"archive policy that will do: {told}; set force_granularity and aggregation_method to "
        "what there is"
    )
