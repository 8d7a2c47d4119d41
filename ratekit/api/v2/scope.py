"""``/v2/scope``: scopes, how far they are rated, and whether they are."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

import pydantic

from ratekit import composition, errors
from ratekit.admin import lag, reprocess
from ratekit.admin import scope as scope_admin
from ratekit.admin.scope_filter import ScopeFilter, is_rated, require_all
from ratekit.api import audit
from ratekit.api.arguments import Arguments, Count, Flag, Flags, Instant, Offset, Text, Words
from ratekit.api.faults import Fault, not_found
from ratekit.api.operation import Call, Operation
from ratekit.api.visibility import narrow, restrict
from ratekit.domain.reporting.reports import ALL_SCOPES, StateRow
from ratekit.domain.reprocessing.task import TaskNote
from ratekit.text import utc_text


class Selection(Arguments):
    """Which scopes; a list may repeat its key or separate values by commas.

    :ivar scope_id: their IDs
    :ivar scope_key: kinds of ID, such as project_id
    :ivar fetcher: names of fetchers
    :ivar collector: names of collectors
    """

    scope_id: Words = ()
    scope_key: Words = ()
    fetcher: Words = ()
    collector: Words = ()

    def select(self, rows: Sequence[StateRow], active: Collection[bool] = ()) -> Sequence[StateRow]:
        """Return the scopes that are selected.

        :param rows: the visible ones
        :raises ratekit.api.faults.Fault: there are none
        """
        scope_filter = ScopeFilter(
            self.scope_id, self.scope_key, self.fetcher, self.collector, active
        )
        selected_rows = scope_filter.select(rows)
        if not selected_rows:
            raise Fault(404, "no scope fits; see GET /v2/scope for all scopes")
        return selected_rows


class Listing(Selection):
    """Which scopes, and which part of the list.

    :ivar active: 1: those that are rated, 0: those that are not; default: both
    :ivar offset: how many to skip
    :ivar limit: how many to list; default: all
    """

    active: Flags = ()
    offset: Offset = 0
    limit: Count | None = None


class Reset(Selection):
    """From where on which scopes are to be rated again.

    :ivar all_scopes: all that fit, in place of ``scope_id``
    :ivar last_processed_timestamp: the time; the period that it is in counts
    :ivar state: its older name
    """

    all_scopes: Flag = False
    last_processed_timestamp: Instant | None = None
    state: Instant | None = None

    def since(self) -> datetime.datetime:
        """Return the time by either name.

        :raises ratekit.api.faults.Fault: there is none, or there are two
        """
        times = {self.last_processed_timestamp, self.state} - {None}
        if len(times) != 1:
            raise Fault(400, "expected last_processed_timestamp, or state with the same time")
        (time,) = times
        assert time is not None, "None was taken out"
        return time


class Change(Arguments):
    """What a scope is to be; what :func:`list_scopes` returned is accepted as it is.

    :ivar scope_id: its ID
    :ivar active: whether it is rated
    """

    scope_id: Text
    scope_key: Text | None = None
    fetcher: Text | None = None
    collector: Text | None = None
    active: Flag | None = None


class NewScope(Change):
    """A scope.

    :ivar last_processed_timestamp: from when on it is rated
    :ivar state: its older name
    """

    last_processed_timestamp: Instant | None = None
    state: Instant | None = None


class Scope(pydantic.BaseModel):
    """A scope.

    :ivar last_processed_timestamp: until when it is rated
    :ivar state: the same, as old clients call it
    :ivar active: whether it is rated
    :ivar scope_activation_toggle_date: when it was deactivated
    :ivar name: for people
    :ivar failures: how often rating it failed since the last success
    :ivar last_error: why it failed last
    :ivar retry_at: it is not tried before
    :ivar listed: the fetcher returns it
    :ivar last_seen: when the fetcher last returned it
    :ivar lag: seconds of due periods that are not rated yet; null: it is not rated
    """

    scope_id: str
    scope_key: str
    fetcher: str
    collector: str
    last_processed_timestamp: datetime.datetime
    state: datetime.datetime
    active: bool
    scope_activation_toggle_date: datetime.datetime | None
    name: str
    failures: int
    last_error: str | None
    retry_at: datetime.datetime | None
    listed: bool
    last_seen: datetime.datetime
    lag: int | None


class ScopeList(pydantic.BaseModel):
    """Scopes, by name and ID."""

    results: list[Scope]


class Nothing(pydantic.BaseModel):
    """An empty object: clients would print anything else as a result."""


def list_scopes(call: Call[Listing]) -> dict[str, Any]:
    """List scopes, and until when each is rated."""
    arguments = call.arguments
    all_rows = call.parts.storage.reports.scopes(ALL_SCOPES)
    rows = arguments.select(restrict(all_rows, call.scopes), arguments.active)
    end = None if arguments.limit is None else arguments.offset + arguments.limit
    page = rows[arguments.offset : end]
    if not page:
        raise Fault(404, f"offset {arguments.offset} is after the last of {len(rows)} scopes")
    return {"results": _show_all(call, page, all_rows)}


def reset_scopes(call: Call[Reset]) -> dict[str, Any]:
    """Collect and price again what scopes were rated for since a time.

    A reprocessing task is queued for each scope: its charges are replaced period by period, so
    that no bill has a hole meanwhile. With `all_scopes`, scopes that are not rated that far are
    left out. To be rated from a later time on, a scope is deactivated and then activated.
    """
    arguments, parts = call.arguments, call.parts
    if arguments.all_scopes == bool(arguments.scope_id):
        # CloudKitty's words.
        raise Fault(400, "Either all_scopes or a scope_id should be specified.")
    since = parts.calendar.floor(arguments.since())
    rows = arguments.select(parts.storage.reports.scopes(narrow(call.scopes, arguments.scope_id)))
    require_all(rows, arguments.scope_id)
    composition.require_right_clock(parts.conf, parts.storage.ledger, parts.clock())
    orders = reprocess.build_reset_orders(
        rows, parts.storage.tasks.rated_ranges(), since, parts.calendar.step, arguments.all_scopes
    )
    if not orders:
        if all(row.rated_until < since for row in rows):
            raise Fault(400, f"no scope is rated until {utc_text(since)}; nothing was queued")
        return {}
    reprocess.require_unpurged(parts.storage.purge, orders)
    reason = f"reset to {utc_text(since)} through the API"
    note = TaskNote(reason, audit.describe(call.caller), parts.clock())
    try:
        parts.storage.tasks.add(orders, note)
    except errors.TaskOverlap as error:
        raise Fault(409, "; ".join(error.lines())) from None
    return {}


def change_scope(call: Call[Change]) -> dict[str, Any]:
    """Activate or deactivate a scope; the rest of it must be as it is.

    An activated scope is rated from where rating stopped.
    """
    change, parts = call.arguments, call.parts
    row = _find(_named_rows(call), change.scope_id)
    for key in ("scope_key", "fetcher", "collector"):
        value, current = getattr(change, key), getattr(row, key)
        if value not in (None, current):
            raise Fault(400, f"{key}: expected {current!r}, which cannot be changed, not {value!r}")
    if change.active is True:
        scope_admin.activate(parts.storage.scopes, row, parts.calendar, None, parts.clock())
    elif change.active is False:
        parts.storage.scopes.deactivate(row.id, parts.clock())
    call.record("done")
    all_rows = parts.storage.reports.scopes(ALL_SCOPES)
    return _show_all(call, [_find(all_rows, row.id)], all_rows)[0]


def create_scope(call: Call[NewScope]) -> None:
    """Refuse to make a scope known: ratekit rates what its fetcher returns."""
    name = call.arguments.scope_id
    if _named_rows(call):
        raise Fault(409, f"scope {name} exists already; PATCH /v2/scope activates or deactivates")
    raise Fault(
        501,
        "scopes come from the fetcher, with their first rated period; none was created: list the "
        "project in the fetcher, or wait until it does",
    )


def _named_rows(call: Call[Any]) -> Sequence[StateRow]:
    """Return the scope that a request names, if it exists and the caller may see it."""
    return call.parts.storage.reports.scopes(narrow(call.scopes, [call.arguments.scope_id]))


def _find(rows: Sequence[StateRow], scope_id: str) -> StateRow:
    for row in rows:
        if row.id == scope_id:
            return row
    raise not_found("Scope", scope_id)


def _show_all(
    call: Call[Any], rows: Sequence[StateRow], all_rows: Sequence[StateRow]
) -> list[dict[str, Any]]:
    parts = call.parts
    # A scope that the newest list lacks is known by the others.
    lags = lag.read_lags(all_rows, parts.calendar, parts.clock())
    return [show_scope(row, lags.get(row.id)) for row in rows]


def show_scope(row: StateRow, delay: datetime.timedelta | None) -> dict[str, Any]:
    """Return a scope as a JSON value.

    :param delay: how far it is behind; None: it is not rated
    """
    return {
        "scope_id": row.id,
        "scope_key": row.scope_key,
        "fetcher": row.fetcher,
        "collector": row.collector,
        "last_processed_timestamp": row.rated_until,
        "state": row.rated_until,
        "active": is_rated(row),
        "scope_activation_toggle_date": row.deactivated_at,
        "name": row.name,
        "failures": row.failures,
        "last_error": row.last_error,
        "retry_at": row.retry_at,
        "listed": row.active,
        "last_seen": row.last_seen,
        "lag": None if delay is None else int(delay.total_seconds()),
    }


_PATH = "/v2/scope"
OPERATIONS = [
    Operation("GET", _PATH, list_scopes, "scope:get_state", Listing, ScopeList),
    Operation("PUT", _PATH, reset_scopes, "scope:reset_state", Reset, Nothing, 202),
    Operation("PATCH", _PATH, change_scope, "scope:patch_state", Change, Scope),
    Operation("POST", _PATH, create_scope, "scope:post_state", NewScope, faults=(501,)),
]
