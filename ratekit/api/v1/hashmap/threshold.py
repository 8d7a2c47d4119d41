"""Thresholds: a cost of usage from a level on."""

from __future__ import annotations

from typing import Any

from ratekit.api.arguments import Arguments, Number, Text
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.v1.hashmap import rules
from ratekit.api.v1.hashmap.editing import PREFIX, RULE, EditArguments
from ratekit.api.v1.hashmap.rules import Group, Rule, RuleList, RuleWrite
from ratekit.domain.rules.public_id import IdKind


class ThresholdId(Arguments):
    """Which threshold.

    :ivar threshold_id: its public id
    """

    threshold_id: Text


class NewThreshold(RuleWrite):
    """A threshold to create.

    :ivar level: of the quantity or, with a field, of the field's number
    """

    level: Number | None = None
    threshold_id: str | None = None


class ThresholdChange(RuleWrite):
    """A threshold as it is to be, or what is to change of it."""

    level: Number | None = None
    threshold_id: Text


class ThresholdDeletion(ThresholdId, EditArguments):
    """A threshold to delete."""


class Threshold(Rule):
    """A threshold."""

    threshold_id: str
    level: str


class Thresholds(Arguments):
    """Several thresholds."""

    thresholds: list[Threshold]


def list_thresholds(call: Call[RuleList]) -> dict[str, Any]:
    """List the thresholds that are in force in the next period or later."""
    return {"thresholds": rules.list_rules(call, IdKind.THRESHOLD)}


def get_threshold(call: Call[ThresholdId]) -> dict[str, Any]:
    """Return one threshold, deleted or not."""
    return rules.get_rule(call, IdKind.THRESHOLD, call.arguments.threshold_id)


def create_threshold(call: Call[NewThreshold]) -> Answer:
    """Create a threshold, in force from ``start`` or, without it, from the next period on."""
    return rules.create_rule(call, IdKind.THRESHOLD, "thresholds")


def update_threshold(call: Call[ThresholdChange]) -> Answer:
    """Change a threshold from the next period on; its id stays."""
    return rules.update_rule(call, IdKind.THRESHOLD, call.arguments.threshold_id)


def delete_threshold(call: Call[ThresholdDeletion]) -> Answer:
    """End a threshold with the running period; it can still be read."""
    return rules.delete_rule(call, IdKind.THRESHOLD, call.arguments.threshold_id)


def get_group(call: Call[ThresholdId]) -> dict[str, Any]:
    """Return the group of a threshold."""
    return rules.get_group(call, IdKind.THRESHOLD, call.arguments.threshold_id)


_ALL, _ONE = f"{PREFIX}/thresholds", f"{PREFIX}/thresholds/{{threshold_id}}"
OPERATIONS = [
    Operation("GET", _ALL, list_thresholds, RULE, RuleList, Thresholds),
    Operation("GET", _ONE, get_threshold, RULE, ThresholdId, Threshold),
    Operation("GET", f"{_ALL}/group", get_group, RULE, ThresholdId, Group),
    Operation("GET", f"{_ONE}/group", get_group, RULE, ThresholdId, Group),
    Operation("POST", _ALL, create_threshold, RULE, NewThreshold, Threshold, 201),
    Operation("PUT", _ALL, update_threshold, RULE, ThresholdChange, status=302),
    Operation("PUT", _ONE, update_threshold, RULE, ThresholdChange, status=302),
    Operation("DELETE", _ALL, delete_threshold, RULE, ThresholdDeletion, status=204),
    Operation("DELETE", _ONE, delete_threshold, RULE, ThresholdDeletion, status=204),
]
