"""Find, inspect, activate and reset scopes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

from ratekit import errors
from ratekit.admin import lag
from ratekit.domain import period
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting import coverage
from ratekit.domain.reporting.reports import ResetPlan, Selection, StateRow
from ratekit.domain.reporting.scope_report import ChargeTotal, ScopeCoverage, ScopeReport
from ratekit.domain.reprocessing.task import Task
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, ScopeAdmin, Tasks
from ratekit.text import duration_text, utc_text

_SECOND = datetime.timedelta(seconds=1)


class Named(Protocol):
    """What a scope is found by: :class:`StateRow` in storage, or a fetcher's scope."""

    @property
    def id(self) -> str:
        """Return the ID."""

    @property
    def name(self) -> str:
        """Return the name; may be empty."""


S = TypeVar("S", bound=Named)


def find(rows: Sequence[S], word: str) -> S:
    """Return the scope with this ID, or else with this name.

    :raises ratekit.errors.OperatorError: there is none, or several scopes have this name
    """
    matches = [row for row in rows if row.id == word] or [row for row in rows if row.name == word]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(row.id for row in matches)
        raise errors.OperatorError(f"{len(matches)} scopes are named {word!r}: {ids}")
    hint = errors.suggestion(word, [text for row in rows for text in (row.id, row.name) if text])
    raise errors.OperatorError(f"no scope {word!r}{hint}; see ratekit scope list --all")


def recent_window(
    row: StateRow, calendar: Calendar, now: datetime.datetime, count: int
) -> period.Window:
    """Return ``count`` periods up to the newest that is due.

    If the scope is behind, three quarters of them are periods that it was last rated for.
    """
    limit = calendar.floor(row.rated_until) + max(1, count // 4) * calendar.step
    end = min(calendar.due_until(now), limit)
    return period.Window(end - count * calendar.step, calendar.step, count)


def read_report(
    reports: Reports,
    row: StateRow,
    rows: Sequence[StateRow],
    calendar: Calendar,
    now: datetime.datetime,
    count: int,
) -> ScopeReport:
    """Return what is known of a scope.

    :param rows: all scopes
    :param count: number of periods
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    window = recent_window(row, calendar, now, count)
    return ScopeReport(
        row,
        lag.read_lags(rows, calendar, now).get(row.id),
        window,
        read_coverage(reports, row, window),
        _sum_charges(reports, row, month),
    )


def read_coverage(reports: Reports, row: StateRow, window: period.Window) -> ScopeCoverage:
    """Return the result of rating each period of a scope in a window.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    facts = reports.coverage(row.id, window.begin, window.end)
    return ScopeCoverage(coverage.cells(facts, window), facts.gaps, facts.exclusions)


def _sum_charges(reports: Reports, row: StateRow, since: datetime.datetime) -> ChargeTotal:
    selection = Selection(begin=since, scopes=frozenset({row.id}))
    (*sums,) = reports.summary(selection, (), datetime.UTC)
    return ChargeTotal(since, *((sums[0].points, sums[0].price) if sums else (0, ZERO)))


def activate(
    admin: ScopeAdmin,
    row: StateRow,
    calendar: Calendar,
    start: datetime.datetime | None,
    now: datetime.datetime,
) -> bool:
    """Resume rating a deactivated scope where it stopped, or at ``start``.

    :returns: False: the scope is not deactivated
    :raises ratekit.errors.OperatorError: ``start`` is not the start of a period, or in the
        future, or before where rating stopped
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    if start is not None:
        require_start(start, calendar.step)
        if start > calendar.next_due(now):
            # Probably a typing mistake: no usage until then would ever be rated, without a warning.
            raise errors.OperatorError(
                f"{utc_text(start)} is in the future: expected {utc_text(calendar.next_due(now))} "
                "or an earlier time"
            )
    return admin.activate(row.id, start)


def plan_reset(
    admin: ScopeAdmin, row: StateRow, calendar: Calendar, since: datetime.datetime
) -> ResetPlan:
    """Return what resetting a scope to ``since`` would remove.

    ``rated_until`` of the scope need not be the start of a period; a reset corrects that.

    :raises ratekit.errors.OperatorError: ``since`` is not the start of a period, or after
        ``rated_until``, or inside a period of the previous length
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    require_start(since, calendar.step)
    plan = admin.plan_reset(row.id, since)
    if since > plan.rated_until:
        raise errors.OperatorError(
            f"scope {row.id} is rated only until {utc_text(plan.rated_until)}: expected that or "
            f"an earlier time, not {utc_text(since)}"
        )
    # Its frames would stay, and usage after ``since`` would be charged twice.
    require_boundary(since, plan.step, calendar.step)
    return plan


def find_overlapping_tasks(tasks: Tasks, row: StateRow, since: datetime.datetime) -> Sequence[Task]:
    """Return the open tasks of a scope for periods at ``since`` or later.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    return [
        task
        for task, _ in tasks.tasks()
        if task.order.scope.id == row.id and task.order.end > since
    ]


def require_start(instant: datetime.datetime, step: datetime.timedelta) -> None:
    """Refuse an instant that is not the start of a period.

    :raises ratekit.errors.OperatorError: with the nearest starts
    """
    try:
        before, after = period.floor(instant, step), period.ceiling(instant, step)
    except OverflowError:
        raise errors.OperatorError(
            f"{utc_text(instant)} is too far in the past or future"
        ) from None
    if before != after:
        raise errors.OperatorError(
            f"no period of {duration_text(step)} starts at {utc_text(instant)}; the nearest start "
            f"at {utc_text(before)} and {utc_text(after)}"
        )


def require_boundary(
    instant: datetime.datetime, previous: datetime.timedelta | None, step: datetime.timedelta
) -> None:
    """Refuse an instant inside a period of the previous length.

    :param previous: length of the stored periods; None: unknown
    :param step: length of a period now
    :raises ratekit.errors.OperatorError: with an instant that starts both periods
    """
    if previous is None or period.floor(instant, previous) == instant:
        return
    both = math.lcm(previous // _SECOND, step // _SECOND) * _SECOND
    raise errors.OperatorError(
        f"{utc_text(instant)} falls inside a period of the previous length "
        f"({duration_text(previous)}); choose a boundary of both the old and the new period, e.g. "
        f"{utc_text(period.floor(instant, both))}"
    )
