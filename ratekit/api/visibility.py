"""Which scopes a request may see: decided here, and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from oslo_context.context import RequestContext

from ratekit.api.faults import Fault
from ratekit.api.policies import Policies, project_target
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, StateRow

#: Ids of scopes, or all.
Scopes = AllScopes | frozenset[str]

#: Scope keys whose values are IDs of Keystone's projects.
_PROJECT_KEYS = frozenset({"project_id", "tenant_id"})
_NONE: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """The scopes that a request asks for.

    :ivar scopes: their ids; None: it names none
    :ivar narrows: the request takes what is left of it, as in version 2; otherwise it is refused
        if it may not see all
    """

    scopes: Scopes | None = None
    narrows: bool = True


def restrict(rows: Iterable[StateRow], scopes: Scopes) -> list[StateRow]:
    """Return those of the scopes that a request may see.

    :param scopes: what :func:`visible_scopes` returned
    """
    return [row for row in rows if scopes is ALL_SCOPES or row.id in scopes]


def narrow(scopes: Scopes, ids: Collection[str]) -> Scopes:
    """Return those of the scopes that a request may see that it names; all if it names none.

    :param scopes: what :func:`visible_scopes` returned
    """
    if not ids:
        return scopes
    return frozenset(ids) if scopes is ALL_SCOPES else scopes & frozenset(ids)


def visible_scopes(
    policies: Policies, rule: str, caller: RequestContext, demand: Demand, scope_key: str
) -> Scopes:
    """Return the scopes that a request may see, of those it asks for.

    :param rule: the policy that decides about the operation
    :param scope_key: what identifies a scope; only projects see themselves
    :raises ratekit.api.faults.Fault: the caller may not use the operation, or not for these
    """
    own = _own_scope(caller, scope_key)
    if demand.narrows or demand.scopes is None:
        policies.require(rule, caller, project_target(caller.project_id))
        wanted = ALL_SCOPES if demand.scopes is None else demand.scopes
        if not demand.narrows:
            # Only without authentication an administrator has no project.
            is_operator = not caller.project_id and policies.is_admin(caller)
            return ALL_SCOPES if is_operator else own
        if policies.is_admin(caller):
            return wanted
        return own if wanted is ALL_SCOPES else own & wanted
    for scope in [None] if demand.scopes is ALL_SCOPES else sorted(demand.scopes):
        policies.require(rule, caller, project_target(scope))
    only_own = demand.scopes is not ALL_SCOPES and demand.scopes <= own
    if not only_own and not policies.is_admin(caller):
        # An operator's rule may be wider than what this function can vouch for.
        raise Fault(403, f"{rule} is not allowed for you; ask an administrator")
    return demand.scopes


def _own_scope(caller: RequestContext, scope_key: str) -> frozenset[str]:
    if scope_key not in _PROJECT_KEYS or not caller.project_id:
        return _NONE
    return frozenset({caller.project_id})
