"""What operators do with a scope: find it, look at it, activate and reset it."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting import coverage
from ratekit.domain.reporting.reports import ResetPlan, Selection, StateRow
from ratekit.domain.reprocessing.task import Task
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, ScopeAdmin, Tasks

_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class ChargeTotal:
    """What a scope was charged since an instant.

    :ivar frames: number of frames
    :ivar price: their exact sum
    """

    frames: int
    price: Decimal


def find(rows: Sequence[StateRow], word: str) -> StateRow:
    """Return the scope of this id, or else of this name.

    :raises ratekit.errors.OperatorError: there is none, or there are several of this name
    """
    found = [row for row in rows if row.id == word] or [row for row in rows if row.name == word]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row.id for row in found)
        raise errors.OperatorError(f"{len(found)} scopes are named {word!r}: {ids}")
    known = [text for row in rows for text in (row.id, row.name) if text]
    hint = errors.nearest(word, known)
    raise errors.OperatorError(f"no scope {word!r}{hint}; see ratekit scope list --all")


def lag(row: StateRow, calendar: Calendar, now: datetime.datetime) -> datetime.timedelta | None:
    """Return how long the newest period that is due has been waiting; None: it is not rated."""
    if not row.active or row.deactivated_at is not None:
        return None
    return max(calendar.due_until(now) - row.rated_until, datetime.timedelta(0))


def charged(reports: Reports, row: StateRow, since: datetime.datetime) -> ChargeTotal:
    """Return what a scope was charged for the periods that begin at ``since`` or later.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    sums = reports.summary(Selection(begin=since, scopes=(row.id,)), (), datetime.UTC)
    return ChargeTotal(sums[0].points, sums[0].price) if sums else ChargeTotal(0, ZERO)


def recent(row: StateRow, calendar: Calendar, now: datetime.datetime, count: int) -> period.Window:
    """Return ``count`` periods up to the newest that is due.

    Of a scope that lags behind, those up to a quarter past where it stopped: they show what
    it was, not only that it is not.
    """
    shown_until = calendar.floor(row.rated_until) + max(1, count // 4) * calendar.step
    end = min(calendar.due_until(now), shown_until)
    return period.Window(end - count * calendar.step, calendar.step, count)


@dataclasses.dataclass(frozen=True, slots=True)
class ScopeCoverage:
    """What became of each period of a scope over a window.

    :ivar cells: one a period, by metric
    :ivar gaps: where it was not rated at all
    :ivar exclusions: what was left out of what was rated
    """

    cells: Mapping[str, Sequence[coverage.PeriodCoverage]]
    gaps: Sequence[coverage.Stretch]
    exclusions: Sequence[coverage.ExclusionSpan]


def covered(reports: Reports, row: StateRow, window: period.Window) -> ScopeCoverage:
    """Return what became of each period of a scope.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    facts = reports.coverage(row.id, window.begin, window.end)
    return ScopeCoverage(coverage.cells(facts, window), facts.gaps, facts.exclusions)


def activate(
    admin: ScopeAdmin,
    row: StateRow,
    calendar: Calendar,
    start: datetime.datetime | None,
    now: datetime.datetime,
) -> bool:
    """Have a deactivated scope rated again, from where it stopped or from ``start``.

    :returns: False where nobody had deactivated it
    :raises ratekit.errors.OperatorError: ``start`` is no begin of a period, or in the future,
        or before where it stopped, or the scope is not deactivated
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    if start is not None:
        require_begin(start, calendar.step)
        if start > calendar.next_due(now):
            # Most likely a slip; all until then would never be rated, and nobody would notice.
            raise errors.OperatorError(
                f"{_text(start)} is in the future: expected {_text(calendar.next_due(now))} or an "
                "earlier time"
            )
    return admin.activate(row.id, start)


def plan_reset(
    admin: ScopeAdmin, row: StateRow, calendar: Calendar, since: datetime.datetime
) -> ResetPlan:
    """Return what resetting a scope to ``since`` would remove.

    The scope itself may be off the grid of periods, which a reset puts right.

    :raises ratekit.errors.OperatorError: ``since`` is no begin of a period, or after what
        has been rated, or would cut a period in two
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    require_begin(since, calendar.step)
    plan = admin.rewind(row.id, since)
    if since > plan.rated_until:
        raise errors.OperatorError(
            f"scope {row.id} is rated until {_text(plan.rated_until)} only: expected that or an "
            f"earlier time, not {_text(since)}"
        )
    if plan.step is not None and period.floor(since, plan.step) != since:
        # Its frames would stay, and what of it lies after ``since`` would be charged again.
        both = math.lcm(plan.step // _SECOND, calendar.step // _SECOND) * _SECOND
        raise errors.OperatorError(
            f"{_text(since)} lies within a period of {plan.step}, which was [collect] period "
            f"until now: expected a time at which both begin, such as "
            f"{_text(period.floor(since, both))}"
        )
    return plan


def reaching(tasks: Tasks, row: StateRow, since: datetime.datetime) -> Sequence[Task]:
    """Return the open tasks of a scope that still have to do with what is at ``since`` or later.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    return [
        task
        for task, _ in tasks.tasks()
        if task.order.scope.id == row.id and task.order.end > since
    ]


def require_begin(instant: datetime.datetime, step: datetime.timedelta) -> None:
    """Refuse an instant at which no period begins.

    :raises ratekit.errors.OperatorError: it is one
    """
    try:
        before, after = period.floor(instant, step), period.ceiling(instant, step)
    except OverflowError:
        raise errors.OperatorError(f"{_text(instant)} is too far back or ahead") from None
    if before != after:
        raise errors.OperatorError(
            f"no period of {step} begins at {_text(instant)}: the nearest that do begin at "
            f"{_text(before)} and {_text(after)}"
        )


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
