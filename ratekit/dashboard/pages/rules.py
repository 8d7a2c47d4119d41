"""``/dashboard/rules``: price rules, each through time, and who changed what and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pydantic

from ratekit import errors
from ratekit.admin import hashmap, rule_lines, rule_register
from ratekit.admin.rule_register import RegisteredRule, RuleStage
from ratekit.api.arguments import Count, Text, first_text
from ratekit.api.faults import not_found
from ratekit.dashboard.operator import OperatorArguments, Paged, build_pager, read_page
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.domain.rules.history import ChangeRecord
from ratekit.domain.rules.rule import ThresholdRule

PATH = "/dashboard/rules"
_HISTORY = f"{PATH}/history"
#: The policy of the API's operations on price rules.
_RULE = "rating:module_config"
#: Changes that the history lists.
_CHANGES = 200
_COLUMNS = (
    "metric", "label", "value", "level", "group", "scope", "type", "cost", "from", "until", "state",
    "made by", "made at",
)  # fmt: skip


class RulesArguments(Paged):
    """Which rules.

    :ivar stage: in force, scheduled or past
    :ivar search: a part of the metric, the label, the value or the group
    """

    stage: Annotated[RuleStage, pydantic.BeforeValidator(first_text)] = RuleStage.IN_FORCE
    search: Text = ""


class LineArguments(OperatorArguments):
    """A line of rules.

    :ivar line: its public id
    """

    line: Text


class ChangeArguments(OperatorArguments):
    """A change of the rules.

    :ivar version: of the rules after it
    """

    version: Count


def show_rules(call: PageCall[RulesArguments]) -> View:
    """Show the rules that are in force, scheduled or past."""
    query = call.arguments
    entries = rule_register.list_rules(call.parts.storage.rules.catalog(), call.parts.clock())
    counts = [
        (
            stage,
            sum(entry.stage is stage for entry in entries),
            call.link(PATH, stage=stage),
        )
        for stage in RuleStage
    ]
    selected = [
        entry
        for entry in entries
        if entry.stage is query.stage and _fits(entry, query.search.strip().casefold())
    ]
    page = read_page(query)
    shown = selected[page.offset : page.end]
    return View(
        {
            "chosen": query,
            "stages": counts,
            "total": len(entries),
            "rows": _rows(call, shown),
            "pager": build_pager(call, PATH, len(selected), "rule"),
            "history_link": call.link(_HISTORY),
            "plan_link": call.link("/dashboard/plan"),
        },
        Table("rules", _COLUMNS, [_cells(entry) for entry in shown]),
    )


def show_line(call: PageCall[LineArguments]) -> View:
    """Show the rules that followed one another in the place of one."""
    catalog, now = call.parts.storage.rules.catalog(), call.parts.clock()
    try:
        entries = rule_register.list_line(catalog, call.arguments.line, now)
    except errors.NotFound:
        raise not_found("Rule", call.arguments.line) from None
    return View(
        {"rows": _rows(call, entries), "newest": entries[0], "list_link": call.link(PATH)},
        Table("rule", _COLUMNS, [_cells(entry) for entry in entries]),
    )


def show_history(call: PageCall[OperatorArguments]) -> View:
    """Show who changed the rules, when, and how much."""
    records = call.parts.storage.rules.records(_CHANGES + 1)
    rows = [(record, _start_text(record), _change_link(call, record)) for record in records]
    return View(
        {
            "rows": rows[:_CHANGES],
            "has_more": len(rows) > _CHANGES,
            "list_link": call.link(PATH),
        },
        Table(
            "rule-history",
            ("version", "made at", "made by", "from", "retroactive", "opened", "closed", "comment"),
            [
                (
                    record.version, record.made_at, record.made_by, start, record.retroactive,
                    len(record.opened), len(record.closed), record.comment,
                )
                for record, start, _ in rows[:_CHANGES]
            ],
        ),
    )  # fmt: skip


def show_change(call: PageCall[ChangeArguments]) -> View:
    """Show the rules that one change opened and closed."""
    try:
        record = hashmap.find_record(call.parts.storage.rules, call.arguments.version)
    except errors.OperatorError:
        raise not_found("Change", str(call.arguments.version)) from None
    closed = [(closing.rule, closing.end) for closing in record.closed]
    lines = list(rule_lines.difference(closed, record.opened))
    return View(
        {
            "record": record,
            "start": _start_text(record),
            "lines": lines,
            "history_link": call.link(_HISTORY),
        },
        Table(f"rule-change-{record.version}", ("change", "rule"), lines),
    )


def _start_text(record: ChangeRecord) -> str | None:
    """Return from when prices changed; None: only names did."""
    changes_rules = record.opened or record.closed
    return rule_lines.start_text(record.since) if changes_rules else None


def _change_link(call: PageCall[Any], record: ChangeRecord) -> str:
    return call.link(f"{PATH}/change", version=record.version)


def _fits(entry: RegisteredRule, word: str) -> bool:
    rule = entry.rule
    value = "" if isinstance(rule, ThresholdRule) else rule.value
    texts = (rule.target.metric, rule.target.label, value, rule.terms.group, rule.terms.scope)
    return any(word in (text or "").casefold() for text in texts)


def _rows(
    call: PageCall[Any], entries: Sequence[RegisteredRule]
) -> list[tuple[RegisteredRule, str, str, str | None]]:
    """Return rules with what they match, the address of their line, and their project."""
    ids = frozenset(entry.rule.terms.scope for entry in entries if entry.rule.terms.scope)
    names = {row.id: row.name for row in call.parts.storage.reports.scopes(ids)} if ids else {}
    return [
        (
            entry,
            _match_text(entry),
            call.link(f"{PATH}/line", line=entry.line),
            names.get(entry.rule.terms.scope or "") or entry.rule.terms.scope,
        )
        for entry in entries
    ]


def _match_text(entry: RegisteredRule) -> str:
    rule = entry.rule
    label = rule.target.label
    if isinstance(rule, ThresholdRule):
        return f"{label or 'quantity'} from {rule.level:f} on"
    if label is None:
        return "all usage"
    return f"{label} is null" if rule.value is None else f"{label} = {rule.value}"


def _cells(entry: RegisteredRule) -> tuple[object, ...]:
    rule, terms, opening = entry.rule, entry.rule.terms, entry.record.opening
    value, level = (None, rule.level) if isinstance(rule, ThresholdRule) else (rule.value, None)
    return (
        rule.target.metric, rule.target.label, value, level, terms.group, terms.scope,
        terms.type.value, terms.cost, terms.start, terms.end, entry.stage,
        opening and opening.made_by, entry.record.created_at,
    )  # fmt: skip


PAGES = [
    Page(PATH, show_rules, _RULE, "Price rules", "rules.html", RulesArguments, Section.OPERATOR),
    Page(
        f"{PATH}/line", show_line, _RULE, "A rule through time", "rule_line.html", LineArguments,
        None,
    ),
    Page(
        _HISTORY, show_history, _RULE, "History of rules", "rule_history.html", OperatorArguments,
        Section.OPERATOR,
    ),
    Page(
        f"{PATH}/change", show_change, _RULE, "A change of rules", "rule_change.html",
        ChangeArguments, None,
    ),
]  # fmt: skip
