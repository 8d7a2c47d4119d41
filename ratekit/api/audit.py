"""The audit log: one line for each change that was made through the API."""

from __future__ import annotations

import logging

from oslo_context.context import RequestContext

from ratekit.api.operation import Operation

#: A logger of its own, so that operators can send it elsewhere.
LOG = logging.getLogger("ratekit.audit")


def describe(caller: RequestContext) -> str:
    """Return who a caller is, for people and for records: ``name (id)``."""
    if caller.user_name and caller.user_name != caller.user_id:
        return f"{caller.user_name} ({caller.user_id})"
    return caller.user_id or "nobody"


def record(operation: Operation, caller: RequestContext, path: str, status: int) -> None:
    """Log a change: who, what and under which request id."""
    LOG.info(
        "%s by user %s of project %s: %s %s, status %d, request %s",
        operation.name, describe(caller), caller.project_id, operation.verb, path, status,
        caller.request_id,
    )  # fmt: skip
