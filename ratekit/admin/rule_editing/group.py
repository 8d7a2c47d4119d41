"""Create and delete groups of rules."""

from __future__ import annotations

import dataclasses

from ratekit import errors
from ratekit.admin.rule_editing.editor import (
    Draft,
    Edit,
    Editor,
    EditResult,
    closing_time,
    is_closable,
)
from ratekit.admin.rule_editing.index import RuleIndex
from ratekit.admin.rule_editing.rule_fields import require_name
from ratekit.admin.rule_editing.views import GroupView, view_group
from ratekit.domain.rules.catalog import NameChange
from ratekit.domain.rules.rule import Rule


def create(editor: Editor, name: str, edit: Edit) -> EditResult[GroupView]:
    """Add a group without rules; one that was deleted has its id again.

    :raises ratekit.errors.OperatorError: no group can have this name
    :raises ratekit.errors.StateConflict: there is one of this name
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    require_name(name)

    def build(index: RuleIndex) -> Draft:
        row = index.group_rows.get(name)
        if row is not None and not row.hidden:
            raise errors.StateConflict(f"Group {name} already exists (UUID: {view_group(row).id})")
        return Draft(names=NameChange(groups=(name,)), comment=f"group {name} created")

    version = editor.make(build, edit).version
    return EditResult(lambda: view_group(editor.read(edit.now).group_rows[name]), version)


def delete(editor: Editor, text: str, recursive: bool, edit: Edit) -> EditResult[None]:
    """Hide a group; from the next period on, its rules have no group, or end if ``recursive``.

    A rule keeps its line and so its id.

    :param text: public id
    :raises ratekit.errors.NotFound: there is no such group
    :raises ratekit.errors.StateConflict: a rule would overlap one without a group, or usage would
        become free of charge
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        group = index.find_group(text)
        rules = [
            rule
            for rule in index.catalog.book.rules
            if rule.terms.group == group.name and is_closable(index, rule)
        ]
        return Draft(
            close=tuple((rule, closing_time(index, rule)) for rule in rules),
            add=() if recursive else tuple(_without_group(index, rule) for rule in rules),
            names=NameChange(hide=(group,)),
            comment=f"group {group.name} deleted",
        )

    return EditResult(lambda: None, editor.make(build, edit).version)


def _without_group(index: RuleIndex, rule: Rule) -> Rule:
    terms = dataclasses.replace(rule.terms, group=None, start=closing_time(index, rule))
    return dataclasses.replace(rule, terms=terms, id=None)
