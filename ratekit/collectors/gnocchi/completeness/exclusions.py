"""Rates what can be rated where some resources' archive policies are at fault."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Mapping, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.index import Index
from ratekit.collectors.gnocchi.completeness import routing
from ratekit.collectors.gnocchi.completeness.routing import PolicyMismatch, Route, Routing, Wanted
from ratekit.domain.reporting.excluded import Exclusion

LOG = logging.getLogger(__name__)

#: A census so young is not taken again: what it did not find it would not find now.
_YOUNG = datetime.timedelta(seconds=10)
#: Resources that one line of the log names.
_IN_A_LINE = 20

#: (the metric's public name, what is asked of it)
_Key = tuple[str, Wanted]
Policies = ttl_cache.TtlCache[Mapping[str, Policy]]


class Exclusions:
    """Knows which resources to leave out, and tells of each once.

    :param policies: all archive policies, by name
    """

    def __init__(self, index: Index, policies: Policies, clock: ttl_cache.Clock) -> None:
        self._index = index
        self._policies = policies
        self._clock = clock
        self._known: dict[_Key, tuple[datetime.datetime, Routing]] = {}
        self._taken: dict[_Key, datetime.datetime] = {}
        self._told: dict[_Key, set[str]] = {}

    def routes(
        self, name: str, wanted: Wanted, scopes: Collection[str], since: datetime.datetime
    ) -> Sequence[Route]:
        """Return the requests that together ask for what ``scopes`` used of a metric.

        Costs no request of its own unless the granularity is left to the archive policies,
        or something was at fault lately. Nothing is asked for where there is no metric.

        :param name: the metric's public name
        :param since: begin of the time that is asked for; what had ended by then is left out
            without a word
        :raises ratekit.errors.OperatorError: no resource has it under a policy that will do
        """
        found = self._routing(name, wanted)
        if found is None:
            return [Route(wanted.granularity)]
        asked = frozenset(scopes)
        concerned = _concerned(found, asked)
        living = _living(concerned, since)
        if found.general is None:
            self._report(name, wanted, living)
            routes = [_narrowed(route, asked) for route in found.routes]
            return [route for route in routes if route.only is None or route.only]
        if living or not (wanted.granularity or found.faults):
            raise errors.OperatorError(f"{name}: {found.general}")
        without = {id_: fault.owned.scopes for id_, fault in concerned.items()}
        return [Route(wanted.granularity, without=without)] if wanted.granularity else []

    def refused(self, name: str, wanted: Wanted) -> bool:
        """Find out who is at fault after Gnocchi refused; False: asking again will not help.

        :raises ratekit.errors.OperatorError: it is the metric as a whole
        """
        key = (name, wanted)
        known = self._still_believed(key)
        if known is not None and known.general is not None:
            raise errors.OperatorError(f"{name}: {known.general}")
        taken = self._taken.get(key)
        if taken is not None and self._clock() < taken + _YOUNG:
            return False
        found = self._take(name, wanted)
        if found.general is not None and not found.faults:
            raise errors.OperatorError(f"{name}: {found.general}")
        return True

    def exclusions(
        self, name: str, wanted: Wanted, scopes: Collection[str], since: datetime.datetime
    ) -> Sequence[Exclusion]:
        """Return what :meth:`routes` last left out, but for what had ended by ``since``."""
        known = self._known.get((name, wanted))
        if known is None or known[1].general is not None:
            return ()
        asked = frozenset(scopes)
        return sorted(
            Exclusion(scope, name, id_, _reason(wanted, fault), _remedy(wanted))
            for id_, fault in _living(_concerned(known[1], asked), since).items()
            for scope in fault.owned.scopes & asked
        )

    def _routing(self, name: str, wanted: Wanted) -> Routing | None:
        """Return how to ask; None: just so, as nothing was ever at fault."""
        key = (name, wanted)
        if key not in self._known and wanted.granularity:
            return None
        return self._still_believed(key) or self._take(name, wanted)

    def _still_believed(self, key: _Key) -> Routing | None:
        known = self._known.get(key)
        return known[1] if known is not None and self._clock() < known[0] else None

    def _take(self, name: str, wanted: Wanted) -> Routing:
        found = routing.routing(self._index, self._policies.get(fresh=True), wanted)
        key = (name, wanted)
        self._taken[key] = self._clock()
        nothing = not found.faults if wanted.granularity else not found.routes
        if nothing and found.general is None:
            # The plain question will do again; or there is no metric yet, which may change
            # with the next measure.
            self._known.pop(key, None)
        else:
            self._known[key] = (self._taken[key] + ttl_cache.FOR_A_WHILE, found)
        self._note_mended(name, key, found)
        return found

    def _note_mended(self, name: str, key: _Key, found: Routing) -> None:
        told = self._told.get(key, set())
        mended = sorted(told - found.faults.keys())
        told.difference_update(mended)
        if mended:
            LOG.info("%s: no longer left out: %d resources (%s)", name, len(mended), _some(mended))

    def _report(self, name: str, wanted: Wanted, concerned: Mapping[str, PolicyMismatch]) -> None:
        """Say once of each resource why it is left out."""
        told = self._told.setdefault((name, wanted), set())
        news: dict[str, list[str]] = {}
        for id_, fault in concerned.items():
            if id_ not in told:
                news.setdefault(_reason(wanted, fault), []).append(id_)
        told.update(concerned)
        for reason, ids in news.items():
            for at in range(0, len(ids), _IN_A_LINE):
                some = ids[at : at + _IN_A_LINE]
                LOG.error(
                    "%s: left out, and not charged for: %s: %s; %s",
                    name, "; ".join(f"resource {id_}" for id_ in some), reason, _remedy(wanted),
                )  # fmt: skip


def _concerned(found: Routing, asked: frozenset[str]) -> dict[str, PolicyMismatch]:
    """Return the faults of resources that some of ``asked`` have or had."""
    return {
        id_: fault
        for id_, fault in found.faults.items()
        if not asked.isdisjoint(fault.owned.scopes)
    }


def _living(
    faults: Mapping[str, PolicyMismatch], since: datetime.datetime
) -> dict[str, PolicyMismatch]:
    return {
        id_: fault
        for id_, fault in faults.items()
        if fault.owned.ended is None or fault.owned.ended >= since
    }


def _reason(wanted: Wanted, fault: PolicyMismatch) -> str:
    policy = f"archive policy {fault.policy!r}, without {fault.lacks}"
    return f"Gnocchi keeps {wanted.metric!r} by {policy}"


def _remedy(wanted: Wanted) -> str:
    return (
        f"delete that resource's metric {wanted.metric!r}, so that it is made anew under another "
        "archive policy, or set force_granularity and aggregation_method to what all of them have"
    )


def _narrowed(route: Route, asked: frozenset[str]) -> Route:
    """The same without resources of scopes that are not asked for, which keeps requests short."""
    if not route.without and route.only is None:
        return route
    return Route(
        route.granularity,
        None if route.only is None else _of(route.only, asked),
        _of(route.without, asked),
    )


def _of(owners: routing.Owners, asked: frozenset[str]) -> dict[str, frozenset[str]]:
    return {id_: scopes for id_, scopes in owners.items() if not asked.isdisjoint(scopes)}


def _some(ids: Sequence[str]) -> str:
    named = ", ".join(ids[:_IN_A_LINE])
    return named if len(ids) <= _IN_A_LINE else f"{named} and {len(ids) - _IN_A_LINE} more"
