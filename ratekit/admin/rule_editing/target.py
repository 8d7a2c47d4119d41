"""Create and delete services and fields, with or without rules."""

from __future__ import annotations

from collections.abc import Callable

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
from ratekit.admin.rule_editing.views import FieldView, ServiceView, view_field, view_service
from ratekit.domain.rules.catalog import FieldRow, NameChange, ServiceRow
from ratekit.domain.rules.rule import RuleTarget


def create_service(editor: Editor, name: str, edit: Edit) -> EditResult[ServiceView]:
    """Add a service without rules; one that was deleted has its id again.

    :raises ratekit.errors.OperatorError: no service can have this name
    :raises ratekit.errors.StateConflict: there is one of this name
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    require_name(name)
    target = RuleTarget(name)

    def build(index: RuleIndex) -> Draft:
        row = index.service_rows.get(name)
        if row is not None and not row.hidden:
            raise errors.StateConflict(
                f"Service {name} already exists (UUID: {view_service(row).id})"
            )
        names = NameChange(targets=(target,))
        return Draft(names=names, comment=f"service {name} created", suspect=target)

    outcome = editor.make(build, edit)
    return EditResult(
        lambda: view_service(editor.read(edit.now).service_rows[name]),
        outcome.version,
        outcome.warnings,
    )


def create_field(editor: Editor, service_id: str, name: str, edit: Edit) -> EditResult[FieldView]:
    """Add a field without rules; one that was deleted has its id again.

    :param service_id: public id
    :raises ratekit.errors.OperatorError: there is no such service, or no field can have this name
    :raises ratekit.errors.StateConflict: the service has a field of this name
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    require_name(name)

    def build(index: RuleIndex) -> Draft:
        service = _find_parent(index, service_id)
        row = index.field_rows.get((service.id, name))
        if row is not None and not row.hidden:
            raise errors.StateConflict(f"Field {name} already exists (UUID: {view_field(row).id})")
        target = RuleTarget(service.name, name)
        comment = f"field {service.name}.{name} created"
        return Draft(names=NameChange(targets=(target,)), comment=comment, suspect=target)

    def show() -> FieldView:
        index = editor.read(edit.now)
        return view_field(index.field_rows[_find_parent(index, service_id).id, name])

    outcome = editor.make(build, edit)
    return EditResult(show, outcome.version, outcome.warnings)


def delete_service(editor: Editor, text: str, edit: Edit) -> EditResult[None]:
    """Close all rules of a service and its fields from the next period on, and hide them.

    :param text: public id
    :raises ratekit.errors.NotFound: there is no such service
    :raises ratekit.errors.StateConflict: usage would become free of charge
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        service = index.find_service(text)
        fields = [
            row for row in index.catalog.fields if row.service_id == service.id and not row.hidden
        ]
        return _draft_deletion(
            index,
            lambda target: target.metric == service.name,
            (service, *fields),
            f"service {service.name} deleted",
        )

    return EditResult(lambda: None, editor.make(build, edit).version)


def delete_field(editor: Editor, text: str, edit: Edit) -> EditResult[None]:
    """Close all rules of a field from the next period on, and hide it.

    :param text: public id
    :raises ratekit.errors.NotFound: there is no such field
    :raises ratekit.errors.StateConflict: usage would become free of charge
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def build(index: RuleIndex) -> Draft:
        field = index.find_field(text)
        target = RuleTarget(index.service_of(field).name, field.name)
        comment = f"field {target.metric}.{field.name} deleted"
        return _draft_deletion(index, lambda each: each == target, (field,), comment)

    return EditResult(lambda: None, editor.make(build, edit).version)


def _find_parent(index: RuleIndex, service_id: str) -> ServiceRow:
    try:
        return index.find_service(service_id)
    except errors.NotFound as error:
        raise errors.OperatorError(str(error)) from error


def _draft_deletion(
    index: RuleIndex,
    is_part: Callable[[RuleTarget], bool],
    hide: tuple[ServiceRow | FieldRow, ...],
    comment: str,
) -> Draft:
    close = tuple(
        (rule, closing_time(index, rule))
        for rule in index.catalog.book.rules
        if is_part(rule.target) and is_closable(index, rule)
    )
    return Draft(close=close, names=NameChange(hide=hide), comment=comment)
