"""Tell whether everything is rated, from the database alone."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import unpriced_usage
from ratekit.admin.lag import active_scopes, read_lags
from ratekit.admin.scope_condition import GRACE, Condition, judge
from ratekit.domain.period import Window
from ratekit.domain.reporting.monitoring import MonitoringFacts, ProcessorRecord
from ratekit.domain.reporting.reports import ALL_SCOPES, StateRow
from ratekit.domain.reporting.status import (
    Issue,
    IssueKind,
    ProcessorState,
    ProcessorStatus,
    Status,
    Verdict,
)
from ratekit.domain.reprocessing.task import Task
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.pricing.price_list import PriceList
from ratekit.text import count_text, list_text, second_text

_NO_TIME = datetime.timedelta(0)
_DAEMON = "systemctl status ratekit-processor and its log"


def read(
    storage: Storage,
    calendar: Calendar,
    build_price_list: Callable[[RuleBook], PriceList],
    requires_rules: bool,
    now: datetime.datetime,
) -> Status:
    """Return the state of rating at ``now``, by a constant number of statements.

    :param build_price_list: returns the prices by these rules
    :param requires_rules: nothing is rated while there has never been a rule
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = storage.reports.scopes(ALL_SCOPES)
    tasks = storage.task_ledger.open_tasks(None)
    book = storage.rules.read()
    active = active_scopes(rows)
    newest = statistics.mode(row.rated_until for row in active) if active else now
    window = Window(calendar.floor(newest) - calendar.step, calendar.step, 1)
    facts = storage.monitoring.facts(window)
    processors = [_judge_processor(record, now) for record in facts.processors]
    conditions = judge(rows, calendar, now)
    failing = [row for row in rows if conditions[row.id] is Condition.FAILING]
    late = [row for row in rows if conditions[row.id] is Condition.LATE]
    has_rules = bool(book.rules) or not requires_rules
    problems = [
        *_group_failing(failing, calendar, now),
        *_explain_late(late, calendar, now, processors, has_rules),
        *_processor_issues(processors),
        *_exclusion_issues(facts),
        *_task_issues(tasks),
    ]
    prices = build_price_list(book)
    verdict = Verdict.FAILING if problems else Verdict.WELL
    return Status(
        verdict=verdict if rows or problems else Verdict.UNKNOWN,
        rated_until=min((row.rated_until for row in active), default=None),
        due_until=calendar.due_until(now),
        lag=max(read_lags(rows, calendar, now).values(), default=_NO_TIME),
        scopes=_count_scopes(rows, active, late, failing),
        problems=problems,
        notes=[
            *unpriced_usage.find(storage.monitoring, facts, window.begin, prices),
            *_silence_notes(facts),
        ],
        tasks=len(tasks),
        processors=processors,
    )


def _count_scopes(
    rows: Sequence[StateRow],
    active: Sequence[StateRow],
    late: Sequence[StateRow],
    failing: Sequence[StateRow],
) -> Mapping[str, int]:
    deactivated = sum(row.deactivated_at is not None for row in rows)
    return {
        "active": len(active),
        "late": len(late),
        "failing": len(failing),
        "inactive": len(rows) - len(active) - deactivated,
        "deactivated": deactivated,
    }


def _judge_processor(record: ProcessorRecord, now: datetime.datetime) -> ProcessorStatus:
    if record.next_cycle is not None and record.next_cycle + GRACE < now:
        return ProcessorStatus(record, ProcessorState.MISSING)
    if record.error is not None:
        return ProcessorStatus(record, ProcessorState.FAILING)
    state = ProcessorState.RATING if record.next_cycle is None else ProcessorState.WAITING
    return ProcessorStatus(record, state)


def _group_failing(
    rows: Iterable[StateRow], calendar: Calendar, now: datetime.datetime
) -> Iterator[Issue]:
    """Yield one issue for each error, those of most scopes first."""
    groups: dict[str, list[StateRow]] = {}
    for row in rows:
        groups.setdefault(row.last_error or "unknown error", []).append(row)
    for reason, members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        yield _scope_issue(IssueKind.FAILING, members, calendar, now, reason)


def _explain_late(
    rows: Sequence[StateRow],
    calendar: Calendar,
    now: datetime.datetime,
    processors: Sequence[ProcessorStatus],
    has_rules: bool,
) -> Iterator[Issue]:
    """Yield one issue for scopes that no attempt failed for."""
    if not rows:
        return
    remedy = ""
    running = [status.record for status in processors if status.state is ProcessorState.RATING]
    if not has_rules:
        no_rules = errors.NoRules()
        reason, remedy = no_rules.reason, no_rules.remedy
    elif any(status.state is ProcessorState.FAILING for status in processors):
        reason, remedy = "a processor fails", "see the processor below"
    elif running:
        seen_at = second_text(min(record.seen_at for record in running))
        reason, remedy = f"a cycle is running, last seen at {seen_at}", f"wait, or see {_DAEMON}"
    elif processors:
        reason, remedy = "processors have not rated them", f"see {_DAEMON}"
    else:
        reason, remedy = "no processor is running", "start ratekit-processor"
    yield _scope_issue(IssueKind.LATE, rows, calendar, now, reason, remedy)


def _scope_issue(
    kind: IssueKind,
    rows: Sequence[StateRow],
    calendar: Calendar,
    now: datetime.datetime,
    reason: str,
    remedy: str = "",
) -> Issue:
    """Return an issue of scopes, since the first of their periods that is not rated was due.

    By a state in the future nothing is due yet.
    """
    due = min(row.rated_until for row in rows) + max(1, calendar.wait_periods) * calendar.step
    names = list_text([row.name or row.id for row in rows])
    return Issue(
        kind,
        len(rows),
        f"{count_text(len(rows), 'scope')} ({names})",
        reason,
        due if due <= now else None,
        remedy,
    )


def _processor_issues(processors: Iterable[ProcessorStatus]) -> Iterator[Issue]:
    for status in processors:
        record = status.record
        if status.state is ProcessorState.MISSING:
            reason = f"it was last seen at {second_text(record.seen_at)}"
            remedy = f"see {_DAEMON} on its host"
            yield Issue(IssueKind.PROCESSOR, 1, record.name, reason, record.next_cycle, remedy)
        elif record.error is not None:
            yield Issue(IssueKind.PROCESSOR, 1, record.name, record.error, record.error_since)


def _exclusion_issues(facts: MonitoringFacts) -> Iterator[Issue]:
    for group in facts.exclusions:
        subject = (
            f"{count_text(group.resources, 'resource')} of {group.metric} in "
            f"{count_text(group.scopes, 'scope')}"
        )
        yield Issue(
            IssueKind.EXCLUDED, group.resources, subject, group.reason, group.since, group.remedy
        )


def _task_issues(tasks: Iterable[Task]) -> Iterator[Issue]:
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        if task.failures:
            groups.setdefault(task.last_error or "unknown error", []).append(task)
    for reason, members in sorted(groups.items()):
        ids = list_text([str(task.id) for task in members])
        yield Issue(
            IssueKind.TASK,
            len(members),
            f"{count_text(len(members), 'task')} ({ids})",
            reason,
            min(task.note.made_at for task in members),
            f"see ratekit reprocess show {members[0].id}",
        )


def _silence_notes(facts: MonitoringFacts) -> Iterator[Issue]:
    for silence in facts.silent_metrics:
        yield Issue(
            IssueKind.SILENT,
            silence.scopes,
            silence.metric,
            f"no usage in any scope; it stopped in {count_text(silence.scopes, 'scope')}",
            silence.since,
            "see ratekit metric check",
        )
