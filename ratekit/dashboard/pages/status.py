"""``/dashboard/status``: is everything rated, and if not, what is late, why, and what to do."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence

from ratekit import composition
from ratekit.admin import status as status_admin
from ratekit.admin.scope_condition import GRACE, Condition
from ratekit.dashboard.operator import OperatorArguments
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.domain.reporting.interruption import InterruptionKind
from ratekit.domain.reporting.status import Issue, IssueKind, Status
from ratekit.domain.reprocessing.task import TaskSelection
from ratekit.text import duration_text

PATH = "/dashboard/status"

#: What an operator does where the reason says what is wrong, and nothing else is known.
_REMEDIES: Mapping[IssueKind, str] = {
    IssueKind.FAILING: "correct what the reason names; rating is tried again by itself",
    IssueKind.PROCESSOR: "correct what the reason names; the next cycle tries again",
}


@dataclasses.dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue as the page shows it.

    :ivar age: how long it has lasted; empty: not known
    :ivar link: address of the list of what it is about; None: there is none
    """

    issue: Issue
    age: str
    remedy: str
    link: str | None


def show_status(call: PageCall[OperatorArguments]) -> View:
    """Show the verdict, what is late or failing, and the processors."""
    parts = call.parts
    now = parts.clock()
    status = status_admin.read(
        parts.storage,
        parts.calendar,
        functools.partial(composition.build_price_list, parts.conf),
        composition.requires_rules(parts.conf),
        now,
    )
    return View(
        {
            "status": status,
            "now": now,
            "lag": duration_text(status.lag, 2),
            "grace": duration_text(GRACE),
            "problems": _rows(call, status.problems, now),
            "notes": _rows(call, status.notes, now),
            "states": [
                (state, count, call.link("/dashboard/projects", state=_condition(state)))
                for state, count in status.scopes.items()
            ],
            "tasks_link": call.link("/dashboard/tasks", state=TaskSelection.OPEN),
        },
        _table(status),
    )


def _condition(state: str) -> Condition | None:
    """Return what scopes in a state are in; scopes that are late or failing are active, too."""
    return None if state == "active" else Condition(state)


def _rows(
    call: PageCall[OperatorArguments], issues: Sequence[Issue], now: datetime.datetime
) -> list[IssueRow]:
    return [
        IssueRow(
            issue,
            "" if issue.since is None else duration_text(max(now - issue.since, _NO_TIME), 2),
            issue.remedy or _REMEDIES.get(issue.kind, ""),
            _link(call, issue),
        )
        for issue in issues
    ]


_NO_TIME = datetime.timedelta(0)


def _link(call: PageCall[OperatorArguments], issue: Issue) -> str | None:
    match issue.kind:
        case IssueKind.FAILING | IssueKind.LATE:
            return call.link("/dashboard/projects", state=issue.kind)
        case IssueKind.EXCLUDED:
            return call.link("/dashboard/gaps", kind=InterruptionKind.EXCLUDED)
        case IssueKind.SILENT:
            return call.link("/dashboard/gaps", kind=InterruptionKind.SILENT, metric=issue.subject)
        case IssueKind.TASK:
            return call.link("/dashboard/tasks", state=TaskSelection.FAILING)
        case IssueKind.UNPRICED:
            return call.link("/dashboard/rules")
        case IssueKind.PROCESSOR:
            return "#processors"


def _table(status: Status) -> Table:
    columns = ("severity", "kind", "count", "subject", "reason", "since", "remedy")
    return Table(
        "status",
        columns,
        [
            (severity, issue.kind, issue.count, issue.subject, issue.reason, issue.since,
             issue.remedy)
            for severity, issues in (("problem", status.problems), ("note", status.notes))
            for issue in issues
        ],
    )  # fmt: skip


PAGES = [
    Page(
        PATH, show_status, "scope:get_state", "Status", "status.html", OperatorArguments,
        Section.OPERATOR,
    ),
]  # fmt: skip
