"""Lists of mappings and thresholds, by the filters of CloudKitty's API."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from ratekit.admin.rule_editing.index import RuleIndex
from ratekit.admin.rule_editing.views import RuleView
from ratekit.domain.rules import succession
from ratekit.domain.rules.public_id import IdKind


@dataclasses.dataclass(frozen=True, slots=True)
class RuleSelection:
    """Which rules to list; what is None selects all.

    :ivar service_id: those of the service itself, not of its fields
    :ivar no_group: those without a group; ``group_id`` comes before it
    :ivar by_scope: only those of ``scope``; of no scope, if that is None
    :ivar deleted: only those that a change has closed, instead of those in force
    :ivar is_active: only those in force at this moment, without those that start later
    :ivar start: those that start at this time or later
    :ivar end: those that end before this time
    :ivar created_by: id of a user, or the whole text of the history; so are the next two
    :ivar description: a part of it, in upper or lower case
    """

    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    no_group: bool = False
    by_scope: bool = False
    scope: str | None = None
    deleted: bool = False
    is_active: bool = False
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None
    description: str | None = None


def select(
    index: RuleIndex, kind: IdKind, selection: RuleSelection, now: datetime.datetime
) -> Sequence[RuleView]:
    """Return mappings or thresholds by creation, each line once.

    Without ``deleted`` these are the rules that are in force at the start of the next period or
    later. An id that is unknown, or that is none, selects nothing.
    """
    return [
        view
        for view in index.rules(kind)
        if _is_place(view, selection)
        and _is_time(view, selection, now)
        and _is_person(view.created_by, selection.created_by)
        and _is_person(view.updated_by, selection.updated_by)
        and _is_person(view.deleted_by, selection.deleted_by)
        and _is_described(view, selection.description)
    ]


def _is_place(view: RuleView, selection: RuleSelection) -> bool:
    ids = (
        (view.service_id, selection.service_id),
        (view.field_id, selection.field_id),
        (view.group_id, selection.group_id),
    )
    if any(text is not None and text.lower() != id_ for id_, text in ids):
        return False
    if selection.by_scope and view.rule.terms.scope != selection.scope:
        return False
    return selection.group_id is not None or not selection.no_group or view.group_id is None


def _is_time(view: RuleView, selection: RuleSelection, now: datetime.datetime) -> bool:
    if selection.deleted:
        if view.deleted_at is None:
            return False
    elif view.over:
        return False
    if selection.is_active and not view.rule.terms.in_force(now):
        return False
    if selection.start is not None and succession.start(view.rule) < selection.start:
        return False
    return selection.end is None or succession.end(view.rule) < selection.end


def _is_person(text: str | None, name: str | None) -> bool:
    """Return whether a text of the history is of a user's id, or is it."""
    return name is None or (text is not None and (text == name or text.startswith(f"{name} (")))


def _is_described(view: RuleView, part: str | None) -> bool:
    return part is None or part.lower() in (view.rule.description or "").lower()
