"""Who may do what: CloudKitty's rules by their names, so that operators' overrides still hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_context.context import RequestContext
from oslo_policy import policy

from ratekit.api.enforcer import Enforcer
from ratekit.api.faults import Fault

_ADMIN = "rule:context_is_admin"
_READER = "rule:project_reader_or_admin"
_ANYONE = ""

_BASE = [
    policy.RuleDefault("context_is_admin", "role:admin", "Administrators."),
    policy.RuleDefault(
        "admin_or_owner", "is_admin:True or (role:admin) or project_id:%(project_id)s",
        "Not used by any rule below; for overrides that were written for CloudKitty.",
    ),
    policy.RuleDefault("default", _ADMIN, "Whatever no other rule decides."),
    policy.RuleDefault(
        "project_member_api", "role:member and project_id:%(project_id)s", "Members of a project."
    ),
    policy.RuleDefault(
        "project_reader_api", "role:reader and project_id:%(project_id)s", "Readers of a project."
    ),
    policy.RuleDefault(
        "project_member_or_admin", "rule:project_member_api or rule:context_is_admin",
        "Members of a project, and administrators.",
    ),
    policy.RuleDefault(
        "project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin",
        "Readers of a project, and administrators.",
    ),
]  # fmt: skip

#: Name, default, what it allows, and the operations that it decides about.
_RULES: Sequence[tuple[str, str, str, Sequence[str]]] = (
    ("info:get_config", _ANYONE, "Read the metrics that are rated, with all settings.",
     ["GET /v1/info/config"]),
    ("info:list_metrics_info", _ANYONE, "List the metrics that are rated.",
     ["GET /v1/info/metrics"]),
    ("info:get_metric_info", _ANYONE, "Read one metric that is rated.",
     ["GET /v1/info/metrics/{metric}"]),
    ("info:list_services_info", _ANYONE, "List the metrics that are rated, by their old name.",
     ["GET /v1/info/services"]),
    ("info:get_service_info", _ANYONE, "Read one metric that is rated, by its old name.",
     ["GET /v1/info/services/{service}"]),
    ("collector:list_mappings", _ADMIN, "List mappings of services to collectors.",
     ["GET /v1/collector/mappings"]),
    ("collector:get_mapping", _ADMIN, "Read the mapping of a service to a collector.",
     ["GET /v1/collector/mappings/{service}"]),
    ("collector:manage_mapping", _ADMIN, "Change mappings of services to collectors.",
     ["POST /v1/collector/mappings", "DELETE /v1/collector/mappings"]),
    ("collector:get_state", _ADMIN, "Read whether a collector is in use.",
     ["GET /v1/collector/states"]),
    ("collector:update_state", _ADMIN, "Change whether a collector is in use.",
     ["PUT /v1/collector/states"]),
    ("rating:list_modules", _ADMIN, "List rating modules.", ["GET /v1/rating/modules"]),
    ("rating:get_module", _ADMIN, "Read a rating module.", ["GET /v1/rating/modules/{module_id}"]),
    ("rating:update_module", _ADMIN, "Change a rating module.",
     ["PUT /v1/rating/modules/{module_id}"]),
    ("rating:quote", _ANYONE, "Ask what a usage would cost.",
     ["POST /v1/rating/quote", "POST /v2/rating/quote"]),
    ("rating:module_config", _ADMIN, "Read and change price rules.",
     ["GET /v1/rating/reload_modules", "GET /v1/rating/module_config",
      "POST /v1/rating/module_config", "PUT /v1/rating/module_config",
      "DELETE /v1/rating/module_config"]),
    ("report:get_summary", _READER, "Read a summary, in version 1.", ["GET /v1/report/summary"]),
    ("report:get_total", _READER, "Read a total.", ["GET /v1/report/total"]),
    ("report:list_tenants", _ADMIN, "List the scopes that were charged.",
     ["GET /v1/report/tenants"]),
    ("storage:list_data_frames", _READER, "Read rated usage, in version 1.",
     ["GET /v1/storage/dataframes"]),
    ("dataframes:add", _ADMIN, "Store rated usage.", ["POST /v2/dataframes"]),
    ("dataframes:get", _READER, "Read rated usage.",
     ["GET /v2/dataframes", "GET /v2/export/focus"]),
    ("v2_rating:list_modules", _ADMIN, "List rating modules, in version 2.",
     ["GET /v2/rating/modules"]),
    ("v2_rating:get_module", _ADMIN, "Read a rating module, in version 2.",
     ["GET /v2/rating/modules/{module_id}"]),
    ("v2_rating:update_module", _ADMIN, "Change a rating module, in version 2.",
     ["PUT /v2/rating/modules/{module_id}"]),
    ("scope:get_state", _ADMIN, "List scopes and how far they are rated.",
     ["GET /v2/scope", "GET /v2/scope/coverage"]),
    ("scope:reset_state", _ADMIN, "Rate scopes again from a time on.", ["PUT /v2/scope"]),
    ("scope:patch_state", _ADMIN, "Activate and deactivate a scope.", ["PATCH /v2/scope"]),
    ("scope:post_state", _ADMIN, "Make a scope known before the fetcher lists it.",
     ["POST /v2/scope"]),
    ("summary:get_summary", _READER, "Read a summary.", ["GET /v2/summary"]),
    ("explain:get", _READER, "Read how the price of a rated usage was calculated.",
     ["GET /v2/explain"]),
    ("rating:plan", _ADMIN, "Ask what a file of price rules would change.",
     ["POST /v2/rating/plan"]),
    ("schedule:get_task_reprocesses", _ADMIN, "List reprocessing tasks.",
     ["GET /v2/task/reprocesses", "GET /v2/task/reprocesses/{scope_id}"]),
    ("schedule:task_reprocesses", _ADMIN, "Reprocess scopes.", ["POST /v2/task/reprocesses"]),
)  # fmt: skip

Target = Mapping[str, str]


def project_target(project: str | None) -> Target:
    """Return the target of what belongs to a project; without a null one."""
    return {"project_id": project} if project else {}


def list_rules() -> list[policy.RuleDefault]:
    """Return all rules; an entry point, for oslo.policy's commands."""
    return [*_BASE, *(_documented(*rule) for rule in _RULES)]


def _documented(
    name: str, default: str, description: str, operations: Sequence[str]
) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name,
        default,
        description,
        [
            {"method": method, "path": path}
            for method, path in (operation.split(" ", 1) for operation in operations)
        ],
        scope_types=["project"],
    )


def build_enforcer(conf: Any) -> policy.Enforcer:
    """Return what decides by the rules and by the operator's file of overrides.

    :raises ratekit.errors.OperatorError: the file cannot be used
    """
    enforcer = Enforcer(conf)
    enforcer.register_defaults(list_rules())
    enforcer.check()
    return enforcer


class Policies:
    """Decides what a caller may do.

    :param enforcer: with all rules
    """

    def __init__(self, enforcer: policy.Enforcer) -> None:
        self._enforcer = enforcer

    def require(self, rule: str, caller: RequestContext, target: Target) -> None:
        """Require that ``rule`` lets the caller do what it is about to target.

        :param target: with the project that owns it, if one does: never a null one, which would
            equal the missing project of a token without a project
        :raises ratekit.api.faults.Fault: it does not
        """
        if self.allows(rule, caller, target):
            return
        if not caller.project_id:
            raise Fault(403, f"{rule} needs a token of a project")
        raise Fault(403, f"{rule} is not allowed for you; ask an administrator")

    def allows(self, rule: str, caller: RequestContext, target: Target) -> bool:
        """Return whether :meth:`require` would let the caller do it."""
        return bool(self._enforcer.authorize(rule, dict(target), caller))

    def is_admin(self, caller: RequestContext) -> bool:
        """Return whether the caller may see and change what belongs to others."""
        return bool(self._enforcer.authorize("context_is_admin", {}, caller))
