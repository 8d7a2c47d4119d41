"""Create, change and delete one mapping or threshold."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit import errors
from ratekit.admin.rule_editing import rule_fields
from ratekit.admin.rule_editing.editor import (
    Draft,
    Edit,
    Editor,
    EditResult,
    closing_time,
    is_closable,
)
from ratekit.admin.rule_editing.index import RuleIndex, is_withdrawn
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.admin.rule_editing.views import RuleView
from ratekit.domain import period
from ratekit.domain.rules import succession
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import Rule
from ratekit.pricing.rule_change import identity
from ratekit.text import utc_text


def create(editor: Editor, kind: IdKind, fields: RuleFields, edit: Edit) -> EditResult[RuleView]:
    """Add a rule as the first of its line.

    Without a start it applies from the next period or, while nothing has been rated, from ever.

    :param kind: a mapping or a threshold
    :raises ratekit.errors.OperatorError: a field is missing or invalid, there is no such service,
        field or group, or the start is in the past without ``force``
    :raises ratekit.errors.StateConflict: it overlaps a rule, or makes usage free of charge
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        rule = rule_fields.build_rule(index, kind, fields)
        rule = _with_times(rule, _find_start(index, rule, edit.force), rule.terms.end)
        return Draft(add=(rule,), comment=rule_fields.comment(fields), suspect=rule)

    outcome = editor.make(build, edit)
    return EditResult(
        lambda: editor.read(edit.now).find_opened(kind, outcome.version or 0),
        outcome.version,
        outcome.warnings,
    )


def update(
    editor: Editor, kind: IdKind, text: str, fields: RuleFields, edit: Edit
) -> EditResult[RuleView]:
    """Change a rule from the next period on; its line and so its id stay.

    What is sent but equal changes nothing. A new end is set. Any other difference closes the rule
    and opens its successor, which ends where the rule would have, or where a scheduled rule of the
    same identity starts. A rule that has not begun is replaced before it begins.

    :param text: public id
    :raises ratekit.errors.NotFound: there is no such rule, or it was deleted
    :raises ratekit.errors.OperatorError: a field is invalid, the rule has ended, or a rated period
        would have another price
    :raises ratekit.errors.StateConflict: it would overlap a rule, or usage would become free
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        view = _find_not_deleted(index, kind, text)
        stored = index.current(view)
        rule = rule_fields.change_rule(index, stored, fields)
        if _has_equal_content(stored, rule) and stored.terms == rule.terms:
            return Draft()
        if view.over:
            raise errors.OperatorError(
                "Cannot update a rule that was already processed and has a defined end date."
            )
        draft = _draft_end(index, stored, rule) or _draft_successor(index, stored, rule)
        [suspect] = draft.add or [rule]
        return dataclasses.replace(draft, comment=rule_fields.comment(fields), suspect=suspect)

    outcome = editor.make(build, edit)
    return EditResult(
        lambda: editor.read(edit.now).find_rule(kind, text), outcome.version, outcome.warnings
    )


def delete(editor: Editor, kind: IdKind, text: str, edit: Edit) -> EditResult[RuleView]:
    """End a rule at the next period; while nothing has been rated, as if it had never been.

    :param text: public id
    :raises ratekit.errors.NotFound: there is no such rule, or it was deleted
    :raises ratekit.errors.StateConflict: usage would become free of charge
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        stored = index.current(_find_not_deleted(index, kind, text))
        if not is_closable(index, stored):
            return Draft()
        return Draft(close=((stored, closing_time(index, stored)),))

    version = editor.make(build, edit).version
    return EditResult(lambda: editor.read(edit.now).find_rule(kind, text), version)


def _find_not_deleted(index: RuleIndex, kind: IdKind, text: str) -> RuleView:
    view = index.find_rule(kind, text)
    if view.deleted_at is not None:
        raise errors.NotFound(f"No such {kind.name.lower()}: {text}")
    return view


def _find_start(index: RuleIndex, rule: Rule, force: bool) -> datetime.datetime | None:
    """Return the start of a new rule; None: it applies from ever."""
    start, fence = rule.terms.start, index.protected_until
    if start is None and fence is None:
        # Rules that were withdrawn before anything was rated are stored until the epoch.
        withdrawn = any(
            is_withdrawn(stored) and succession.start(stored) < period.EPOCH
            for stored in index.catalog.book.rules
            if identity(stored) == identity(rule)
        )
        return period.EPOCH if withdrawn else None
    if start is None:
        return fence
    if fence is not None and start < fence and not force:
        raise errors.OperatorError(
            f"Cannot create a rule with start in the past: start={utc_text(start)}, and periods "
            f"before {utc_text(fence)} may have been rated; choose a later start, or use force=true"
        )
    return start


def _draft_end(index: RuleIndex, stored: Rule, rule: Rule) -> Draft | None:
    """Return the draft if an earlier end is the only difference, else None."""
    end = rule.terms.end
    terms = dataclasses.replace(stored.terms, end=end)
    if end is None or terms != rule.terms or not _has_equal_content(stored, rule):
        return None
    if end > succession.end(stored):
        return None
    _require_order(succession.start(stored), end)
    fence = index.protected_until
    if fence is not None and end < fence:
        raise errors.OperatorError(
            f"End date must be in the future: end={utc_text(end)}, and periods before "
            f"{utc_text(fence)} may have been rated"
        )
    return Draft(close=((stored, end),))


def _draft_successor(index: RuleIndex, stored: Rule, rule: Rule) -> Draft:
    fence, closing = index.protected_until, closing_time(index, stored)
    start = rule.terms.start
    if fence is not None and succession.start(stored) < fence:
        if start != stored.terms.start:
            raise errors.OperatorError(
                "You cannot change the start of a rule that is already running: it started on "
                f"{_start_text(stored)}"
            )
        start = closing
    elif start is None:
        start = closing
    elif fence is not None and start < fence:
        raise errors.OperatorError(
            f"Cannot move a rule to a start in the past: start={utc_text(start)}, and periods "
            f"before {utc_text(fence)} may have been rated"
        )
    end = rule.terms.end
    if end == stored.terms.end:
        end = _find_end(index, stored, rule, start)
    _require_order(start, end)
    successor = dataclasses.replace(_with_times(rule, start, end), id=None, line=stored.line)
    return Draft(close=((stored, closing),), add=(successor,))


def _find_end(
    index: RuleIndex, stored: Rule, rule: Rule, start: datetime.datetime
) -> datetime.datetime | None:
    """Return where the next rule of the same identity starts, at most the rule's own end."""
    starts = [
        scheduled.terms.start
        for scheduled in index.catalog.book.rules
        if scheduled is not stored
        and scheduled.terms.start is not None
        and scheduled.terms.start > start
        and not is_withdrawn(scheduled)
        and identity(scheduled) == identity(rule)
    ]
    end = min([*starts, succession.end(rule)])
    return None if end == period.FOREVER else end


def _require_order(start: datetime.datetime | None, end: datetime.datetime | None) -> None:
    if start is not None and end is not None and end <= start:
        raise errors.OperatorError(
            f"Cannot create a rule with start after end: start={utc_text(start)}, "
            f"end={utc_text(end)}"
        )


def _has_equal_content(stored: Rule, rule: Rule) -> bool:
    """Return whether two rules differ in their terms at most."""
    return (
        dataclasses.replace(rule, terms=stored.terms) == stored
        and rule.name == stored.name
        and rule.description == stored.description
    )


def _with_times(rule: Rule, start: datetime.datetime | None, end: datetime.datetime | None) -> Rule:
    _require_order(start, end)
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, start=start, end=end))


def _start_text(rule: Rule) -> str:
    return utc_text(rule.terms.start or period.EPOCH)
