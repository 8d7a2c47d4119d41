"""``/v2/task/reprocesses``: tasks that rate periods again."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic

from ratekit import composition, errors
from ratekit.admin import reprocess
from ratekit.admin.scope_filter import require_all
from ratekit.api import audit
from ratekit.api.answers import Amount
from ratekit.api.arguments import (
    Arguments,
    Count,
    Flag,
    Instant,
    Offset,
    Text,
    Words,
    first_text,
)
from ratekit.api.faults import Fault
from ratekit.api.operation import Call, Operation
from ratekit.api.v2.scope import Nothing
from ratekit.api.visibility import narrow
from ratekit.domain.reporting.reports import Page, StateRow
from ratekit.domain.reprocessing.task import Account, Task, TaskKind, TaskNote, TaskSelection

#: The word for every scope, instead of IDs.
_ALL = "ALL"


def _fold_case(value: Any) -> Any:
    word = first_text(value)
    return word.lower() if isinstance(word, str) else word


class Listing(Arguments):
    """Which tasks.

    :ivar scope_ids: only of these scopes
    :ivar order: by ID, asc or desc
    :ivar offset: how many to skip
    :ivar limit: how many to list; default: all
    """

    scope_ids: Words = ()
    order: Annotated[Literal["asc", "desc"], pydantic.BeforeValidator(_fold_case)] = "desc"
    offset: Offset = 0
    limit: Count | None = None


class ScopeListing(Listing):
    """Which tasks of a scope.

    :ivar scope_id: its ID
    """

    scope_id: Text


class Request(Arguments):
    """What to rate again.

    :ivar scope_ids: the scopes, or ALL: every scope, where it has been rated
    :ivar start_reprocess_time: start of the first period
    :ivar end_reprocess_time: end of the last period
    :ivar reason: why; kept with the task
    :ivar kind: collect: collect usage again and price it; rates: price the stored usage again
    :ivar accept_silence: replace also periods in which usage that was charged is now missing
    """

    scope_ids: Words
    start_reprocess_time: Instant
    end_reprocess_time: Instant
    reason: Text
    kind: TaskKind = TaskKind.COLLECT
    accept_silence: Flag = False


class Entry(pydantic.BaseModel):
    """A task; times are UTC without an offset.

    :ivar current_reprocess_time: up to where it is done; empty: it has not begun
    :ivar price: what the periods that it is done with cost before
    :ivar new_price: what they cost since
    """

    scope_id: str
    reason: str
    start_reprocess_time: str
    end_reprocess_time: str
    current_reprocess_time: str
    id: int
    kind: TaskKind
    state: str
    made_by: str
    last_error: str | None
    price: Amount
    new_price: Amount


class TaskList(pydantic.BaseModel):
    """Tasks, by ID."""

    results: list[Entry]


def list_tasks(call: Call[Listing]) -> dict[str, Any]:
    """List reprocessing tasks, open and ended."""
    return _list(call, call.arguments.scope_ids)


def list_tasks_of_scope(call: Call[ScopeListing]) -> dict[str, Any]:
    """List the reprocessing tasks of a scope, open and ended."""
    return _list(call, (*call.arguments.scope_ids, call.arguments.scope_id))


def queue_tasks(call: Call[Request]) -> dict[str, Any]:
    """Rate periods of scopes again: a task for each scope."""
    arguments, parts = call.arguments, call.parts
    every = _ALL in arguments.scope_ids
    if (every and len(arguments.scope_ids) > 1) or not arguments.scope_ids:
        raise Fault(400, "scope_ids: expected IDs of scopes, or ALL and nothing else")
    reason = reprocess.read_reason("reason", arguments.reason)
    ids = () if every else arguments.scope_ids
    rows = parts.storage.reports.scopes(narrow(call.scopes, ids))
    _require_scopes(rows, ids)
    composition.require_right_clock(parts.conf, parts.storage.ledger, parts.clock())
    request = reprocess.ReprocessRequest(
        arguments.start_reprocess_time,
        arguments.end_reprocess_time,
        parts.calendar.step,
        arguments.kind,
        arguments.accept_silence,
    )
    orders = reprocess.build_orders(request, parts.storage.tasks.rated_ranges(), rows, every)
    reprocess.require_any(orders)
    reprocess.require_unpurged(parts.storage.purge, orders)
    note = TaskNote(reason, audit.describe(call.caller), parts.clock())
    parts.storage.tasks.add(orders, note)
    return {}


def _require_scopes(rows: Sequence[StateRow], ids: Sequence[str]) -> None:
    """:raises ratekit.api.faults.Fault: there is no such scope; clients expect 400."""
    try:
        require_all(rows, ids)
    except errors.NotFound as error:
        raise Fault(400, str(error)) from None


def _list(call: Call[Any], scope_ids: Sequence[str]) -> dict[str, Any]:
    arguments = call.arguments
    page = call.parts.storage.tasks.task_page(
        Page(arguments.offset, arguments.limit),
        TaskSelection.ALL,
        narrow(call.scopes, scope_ids),
        newest_first=arguments.order == "desc",
    )
    return {"results": [_show(*entry) for entry in page.entries]}


def _show(task: Task, account: Account) -> dict[str, Any]:
    order = task.order
    return {
        "scope_id": order.scope.id,
        "reason": task.note.reason,
        "start_reprocess_time": _naive(order.begin),
        "end_reprocess_time": _naive(order.end),
        "current_reprocess_time": _naive(task.next_begin) if task.next_begin > order.begin else "",
        "id": task.id,
        "kind": order.kind.value,
        "state": task.state.value,
        "made_by": task.note.made_by,
        "last_error": task.last_error,
        "price": account.old.price,
        "new_price": account.new.price,
    }


def _naive(instant: datetime.datetime) -> str:
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()


_PATH = "/v2/task/reprocesses"
_READ, _WRITE = "schedule:get_task_reprocesses", "schedule:task_reprocesses"
OPERATIONS = [
    Operation("GET", _PATH, list_tasks, _READ, Listing, TaskList),
    Operation("GET", f"{_PATH}/{{scope_id}}", list_tasks_of_scope, _READ, ScopeListing, TaskList),
    Operation("POST", _PATH, queue_tasks, _WRITE, Request, Nothing, 202),
]
