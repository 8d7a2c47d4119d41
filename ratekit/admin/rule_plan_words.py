"""What a planned change of price rules does, in words and as an object."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from ratekit.admin import hashmap, rule_lines
from ratekit.admin.rule_plan import PreparedPlan
from ratekit.admin.what_if import Difference
from ratekit.pricing.rule_change import RuleChange
from ratekit.text import count_text, utc_text


def lines(prepared: PreparedPlan, all_rules: bool = False, remedy: bool = True) -> Iterator[str]:
    """Yield what the plan changes, like a diff.

    :param all_rules: include the rules that stay the same
    :param remedy: name the command that reprocesses charges by the previous rules
    """
    change = prepared.plan.change
    unchanged = count_text(len(change.keep), "rule")
    if change.empty:
        yield f"nothing to do: {unchanged} already in force{_scheduled_text(change)}"
    else:
        yield f"prices change from {rule_lines.start_text(change.since)}:"
        for mark, text in rule_lines.difference(change.close, change.add):
            yield f"{mark} {text}"
        yield f"  {unchanged} unchanged"
    if all_rules:
        for rule in change.keep:
            yield f"  {rule_lines.rule_text(rule)}"
    yield from _describe_schedule(prepared.plan)
    yield from describe_replaced_charges(prepared, remedy)


def _scheduled_text(change: RuleChange) -> str:
    return " or scheduled" if change.scheduled else ""


def _describe_schedule(plan: hashmap.Plan) -> Iterator[str]:
    """Yield which scheduled changes stay, and which come earlier."""
    at = rule_lines.start_text(plan.at)
    for rule in plan.brought_forward:
        yield f"brought forward to {at}: {rule_lines.rule_text(rule)}"
    stays = [rule for rule, moment in plan.change.scheduled if moment > plan.at]
    for rule in stays:
        yield f"stays scheduled: {rule_lines.rule_text(rule)}"
    if stays:
        yield f"to make scheduled changes from {at} instead, use --bring-forward"
    for rule, moment in plan.change.scheduled:
        if moment <= plan.at:
            yield (
                f"stays scheduled before {at}: {rule_lines.rule_text(rule)}; to postpone it, "
                "write the time in the file"
            )


def describe_replaced_charges(prepared: PreparedPlan, remedy: bool = True) -> Iterator[str]:
    """Yield what was charged until now by the previous rules, or without any.

    By the previous rules only if the change is retroactive.

    :param remedy: name the commands that charge it by the new rules
    """
    sources = prepared.site.storage, prepared.plan, prepared.site.calendar
    charges = hashmap.find_replaced_charges(*sources)
    without_rules = hashmap.find_charges_without_rules(*sources) if charges is None else None
    if charges is not None:
        period, frames, reprocess = _describe_charges(charges)
        rules = "by the previous rules" if prepared.plan.book.rules else "without any price rule"
        yield f"{period}: up to {frames} were charged {rules}"
        if remedy:
            yield f"they keep their prices until you run: {reprocess}"
    elif without_rules is not None:
        period, frames, reprocess = _describe_charges(without_rules)
        yield f"{period}: {frames} were rated without any price rule"
        if remedy:
            begin = utc_text(without_rules.begin)
            yield (
                f"to charge them by these rules, run: ratekit hashmap apply --at {begin} "
                f"--retroactive FILE; then: {reprocess}"
            )


def _describe_charges(charges: hashmap.ReplacedCharges) -> tuple[str, str, str]:
    """Return the time, the number of frames and the command that reprocesses them."""
    begin, end = map(utc_text, (charges.begin, charges.end))
    frames, scopes = count_text(charges.frames, "frame"), count_text(charges.scopes, "scope")
    option = "--all-scopes" if charges.scope is None else f"--scope {shlex.quote(charges.scope)}"
    command = f"ratekit reprocess --rates-only {option} --begin {begin} --end {end} --reason REASON"
    return f"{begin} to {end}", f"{frames} of {scopes}", command


def document(prepared: PreparedPlan, differences: Sequence[Difference] | None) -> dict[str, Any]:
    """Return what the plan changes as an object; amounts are Decimal.

    :param differences: what rated usage would have cost; None: that was not asked for
    """
    change = prepared.plan.change
    sources = prepared.site.storage, prepared.plan, prepared.site.calendar
    return {
        "from": None if change.empty else rule_lines.start_text(change.since),
        "retroactive": prepared.plan.retroactive,
        "changes": [
            {"change": "close" if mark == "-" else "add", "rule": line}
            for mark, line in rule_lines.difference(change.close, change.add)
        ],
        "kept": len(change.keep),
        "scheduled": [rule_lines.rule_text(rule) for rule, _ in change.scheduled],
        "brought_forward": [rule_lines.rule_text(rule) for rule in prepared.plan.brought_forward],
        "charged": _charges(hashmap.find_replaced_charges(*sources)),
        "rated_without_rules": _charges(hashmap.find_charges_without_rules(*sources)),
        "warnings": [str(warning) for warning in prepared.warnings],
        "what_if": None if differences is None else [_difference(entry) for entry in differences],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "scope": difference.scope,
        "metric": difference.metric,
        "frames": difference.frames,
        "price": difference.stored,
        "new_price": difference.new,
        "difference": difference.amount,
    }


def _charges(charges: hashmap.ReplacedCharges | None) -> dict[str, Any] | None:
    if charges is None:
        return None
    return {
        "begin": utc_text(charges.begin),
        "end": utc_text(charges.end),
        "frames": charges.frames,
        "scopes": charges.scopes,
    }
