"""The fields of a mapping or a threshold as a client sends them, and the rule that they describe.

Refusals have the words of CloudKitty's API, because its clients' tests compare them.
"""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import TypedDict

from ratekit import errors
from ratekit.admin.rule_editing.index import RuleIndex, kind_of
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.files import rules_schema
from ratekit.files.rules_file import NULL_TEXT

#: Longest name or description that the database holds.
_TEXT_LENGTH = 1000
_MISSING = "Mandatory field missing."


class RuleFields(TypedDict, total=False):
    """What a client sends; a field that is absent was not sent.

    ``value``: None, or CloudKitty's text ``None``, means that the label is null. Elsewhere an
    empty text means the same as None. ``scope`` is CloudKitty's ``tenant_id``. Times are UTC.
    """

    service_id: str | None
    field_id: str | None
    group_id: str | None
    scope: str | None
    type: str | None
    cost: Decimal | None
    value: str | None
    level: Decimal | None
    start: datetime.datetime | None
    end: datetime.datetime | None
    name: str | None
    description: str | None


def build_rule(index: RuleIndex, kind: IdKind, fields: RuleFields) -> Rule:
    """Return the rule that the fields of a new mapping or threshold describe.

    :raises ratekit.errors.OperatorError: a field is missing or invalid, or there is no such
        service, field or group
    """
    cost_type = _read_type(fields.get("type") or CostType.FLAT.value)
    cost = _read_number("cost", fields.get("cost"))
    level = _read_level(fields) if kind is IdKind.THRESHOLD else None
    target = _read_target(index, kind, fields)
    terms = Terms(
        cost=cost,
        type=cost_type,
        group=_read_group(index, fields.get("group_id")),
        scope=_read_text("tenant_id", fields.get("scope")),
        start=fields.get("start"),
        end=fields.get("end"),
    )
    texts = _read_texts(fields)
    if level is not None:
        return ThresholdRule(target, level, terms, None, None, *texts)
    value = None if target.label is None else _read_value(fields.get("value"))
    return MappingRule(target, value, terms, None, None, *texts)


def change_rule(index: RuleIndex, stored: Rule, fields: RuleFields) -> Rule:
    """Return a stored rule with the fields that a client sends instead of its own.

    :raises ratekit.errors.OperatorError: a field is invalid, or names another service or field
    """
    _require_parent(index, stored, fields)
    terms, start = stored.terms, fields.get("start")
    cost = fields.get("cost")
    changed_terms = Terms(
        cost=terms.cost if cost is None else _read_number("cost", cost),
        type=_read_type(fields.get("type") or terms.type.value),
        group=_read_group(index, fields["group_id"]) if "group_id" in fields else terms.group,
        scope=_read_text("tenant_id", fields["scope"]) if "scope" in fields else terms.scope,
        start=terms.start if start is None else start,
        end=fields.get("end", terms.end),
    )
    name, description = _read_texts(fields)
    rule: Rule = dataclasses.replace(
        stored,
        terms=changed_terms,
        name=name if "name" in fields else stored.name,
        description=description if "description" in fields else stored.description,
    )
    if isinstance(rule, ThresholdRule):
        return rule if fields.get("level") is None else _with_level(rule, fields)
    if rule.target.label is None:
        _require_no_value(fields)
        return rule
    return (
        dataclasses.replace(rule, value=_read_value(fields["value"])) if "value" in fields else rule
    )


def comment(fields: RuleFields) -> str | None:
    """Return what the history says about a change."""
    return fields.get("description") or fields.get("name") or None


def _with_level(rule: ThresholdRule, fields: RuleFields) -> ThresholdRule:
    return dataclasses.replace(rule, level=_read_level(fields))


def _read_target(index: RuleIndex, kind: IdKind, fields: RuleFields) -> RuleTarget:
    service_id, field_id = fields.get("service_id"), fields.get("field_id")
    if service_id and field_id:
        raise errors.OperatorError("You can only specify one parent.")
    if field_id:
        if kind is IdKind.MAPPING and "value" not in fields:
            raise errors.OperatorError("You must specify a value for a field mapping.")
        try:
            field = index.find_field(field_id)
        except errors.NotFound as error:
            raise errors.OperatorError(str(error)) from error
        return RuleTarget(index.service_of(field).name, field.name)
    if not service_id:
        raise errors.OperatorError("You must specify one parent.")
    _require_no_value(fields)
    try:
        return RuleTarget(index.find_service(service_id).name)
    except errors.NotFound as error:
        raise errors.OperatorError(str(error)) from error


def _require_no_value(fields: RuleFields) -> None:
    if _read_value(fields.get("value")):
        raise errors.OperatorError("You can't specify a value and a service_id.")


def _require_parent(index: RuleIndex, stored: Rule, fields: RuleFields) -> None:
    """Require that no other service or field is sent than the rule's own."""
    parents = index.parents(stored)
    for key, text in (
        ("service_id", fields.get("service_id")),
        ("field_id", fields.get("field_id")),
    ):
        if text and text.lower() != parents[key]:
            raise errors.OperatorError(
                f"A {kind_of(stored).name.lower()} cannot move to another service or field: "
                f"{key} is {parents[key]}, not {text}"
            )


def _read_group(index: RuleIndex, group_id: str | None) -> str | None:
    if not group_id:
        return None
    try:
        return index.find_group(group_id).name
    except errors.NotFound as error:
        raise errors.OperatorError(str(error)) from error


def _read_type(text: str) -> CostType:
    try:
        return CostType(text)
    except ValueError:
        words = ", ".join(kind.value for kind in CostType)
        raise _invalid("type", text, f"Value should be one of: {words}") from None


def _read_number(key: str, number: Decimal | None) -> Decimal:
    if number is None:
        raise _invalid(key, None, _MISSING)
    if not number.is_finite():
        raise _invalid(key, number, "Value should be a decimal number.")
    try:
        rules_schema.require_digits(number)
    except ValueError as error:
        raise _invalid(key, number, str(error)) from None
    return number


def _read_level(fields: RuleFields) -> Decimal:
    level = _read_number("level", fields.get("level"))
    if level < 0:
        raise _invalid("level", level, "Value should be at least 0.")
    return level


def _read_value(text: str | None) -> str | None:
    if text is None or text == NULL_TEXT:
        return None
    return _require_text("value", text)


def _read_text(key: str, text: str | None) -> str | None:
    return _require_text(key, text) if text else None


def _read_texts(fields: RuleFields) -> tuple[str | None, str | None]:
    """Return name and description."""
    name, description = fields.get("name"), fields.get("description")
    return (
        _require_text("name", name, _TEXT_LENGTH) if name else None,
        _require_text("description", description, _TEXT_LENGTH) if description else None,
    )


def _require_text(key: str, text: str, limit: int = 255) -> str:
    try:
        rules_schema.require_storable(text, limit)
    except ValueError as error:
        raise _invalid(key, text[:40], str(error)) from None
    return text


def require_name(text: str) -> None:
    """Require that a service, a field or a group can have a name.

    :raises ratekit.errors.OperatorError: it is empty or cannot be stored
    """
    if not text:
        raise _invalid("name", text, _MISSING)
    _require_text("name", text)


def _invalid(key: str, value: object, reason: str) -> errors.OperatorError:
    return errors.OperatorError(
        f"Invalid input for field/attribute {key}. Value: '{value}'. {reason}"
    )
