"""The first half of ``ratekit hashmap plan`` and ``apply``: read the file, plan the change."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.cmd import command_types, instants
from ratekit.cmd.hashmap import rule_lines
from ratekit.domain.rules.rule import Rule, RuleTarget
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.pricing.rule_change import RuleChange, apply
from ratekit.text import count_text, utc_text

if TYPE_CHECKING:
    from ratekit.files.rules_file import PlacedRule


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedPlan:
    """A planned change and its sources.

    :ivar desired: the rules of the file
    :ivar warnings: valid rules that may be mistakes
    """

    conf: Any
    storage: Storage
    calendar: Calendar
    desired: Sequence[Rule]
    plan: hashmap.Plan
    warnings: Sequence[errors.Mistake]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`prepare` reads."""
    parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="when rules without a time of their own start or end: the start of a period, "
        f"{instants.TIME}; default: start of the next period",
    )
    parser.add_argument(
        "--retroactive",
        action="store_true",
        help="allow new prices for periods that have been rated; their charges stay until you "
        "reprocess them",
    )
    parser.add_argument(
        "--bring-forward",
        action="store_true",
        help="make changes that are scheduled for later now, too; otherwise they stay scheduled",
    )
    parser.add_argument(
        "--allow-unknown",
        action="store_true",
        help="accept rules for services and fields that neither metrics.yml nor any usage has, "
        "and for unknown scopes",
    )
    parser.add_argument(
        "--allow-free",
        action="store_true",
        help="accept that services that have been rated are left without rules, and that usage "
        "with a price becomes free",
    )


def prepare(command: command_types.Action, parsed_args: argparse.Namespace) -> PreparedPlan:
    """Read the file and plan the change.

    :raises ratekit.errors.OperatorError: the change must not be made
    """
    from ratekit import composition
    from ratekit.conf import collect
    from ratekit.files import rules_file

    placed = rules_file.read_with_places(parsed_args.file)
    at = read_optional_instant("--at", parsed_args.at, command.app.clock())
    conf = command.app.load_conf()
    storage = command.app.open_storage(conf)
    # By a wrong clock, rules would start at a wrong time.
    composition.require_right_clock(conf, storage.ledger, command.app.clock())
    calendar = collect.build_calendar(conf)
    desired = [placed_rule.rule for placed_rule in placed]
    plan = hashmap.plan(
        storage.rules,
        desired,
        calendar,
        command.app.clock(),
        at,
        parsed_args.retroactive,
        parsed_args.bring_forward,
    )
    prepared = PreparedPlan(conf, storage, calendar, desired, plan, ())
    warnings = _find_warnings(parsed_args, placed, prepared)
    if not parsed_args.allow_free and not plan.change.empty:
        _require_priced(prepared)
    return dataclasses.replace(prepared, warnings=warnings)


def read_optional_instant(
    option: str, text: str | None, now: datetime.datetime
) -> datetime.datetime | None:
    """Return an option's time, None if the option is absent.

    :raises ratekit.errors.OperatorError: it is not a time
    """
    return None if text is None else instants.read_instant(option, text, now)


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
    sources = prepared.storage, prepared.plan, prepared.calendar
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


def _require_priced(prepared: PreparedPlan) -> None:
    """Refuse a change that would leave usage free of charge."""
    from ratekit import composition
    from ratekit.admin import rule_guards

    plan, modules = prepared.plan, composition.build_modules(prepared.conf)
    rule_guards.require_priced(
        plan.book, plan.change, prepared.storage, modules, prepared.calendar.step
    )


def _find_warnings(
    parsed_args: argparse.Namespace, placed: Sequence[PlacedRule], prepared: PreparedPlan
) -> Sequence[errors.Mistake]:
    """Return warnings; refuse new rules that never match."""
    from ratekit.admin import rule_guards
    from ratekit.files import metrics_file, rule_warnings

    path, metrics = parsed_args.file, prepared.conf.collect.metrics_conf
    change, reports = prepared.plan.change, prepared.storage.reports
    scope_key = prepared.conf.collect.scope_key
    names_scope = any(
        rule.terms.scope is not None or rule.target.label == scope_key for rule in prepared.desired
    )
    scope_names = {row.id: row.name for row in reports.scopes()} if names_scope else {}
    labels = hashmap.rule_labels(metrics_file.read_labels(metrics, scope_key))
    if not parsed_args.allow_unknown:
        new = rule_guards.newly_priced(placed, change)
        rule_guards.require_known(path, new, metrics, labels, reports)
        rule_guards.require_scopes(path, placed, change, scope_names)
    warnings = [
        *rule_warnings.find_warnings(path, placed, metrics, labels),
        *rule_warnings.find_unknown_scopes(path, placed, scope_names),
        *rule_warnings.find_scope_names(path, placed, scope_names, scope_key),
        *rule_warnings.find_off_grid_times(path, placed, prepared.calendar.step),
    ]
    # In the order of the file, whichever check found them.
    warnings.sort(key=lambda warning: warning.line or 0)
    return [
        *warnings,
        *rule_warnings.find_unpriced_metrics(metrics, placed, labels),
        *rule_warnings.find_unpriced_nulls(path, _count_unpriced_nulls(prepared)),
    ]


def _count_unpriced_nulls(prepared: PreparedPlan) -> Mapping[RuleTarget, int]:
    from ratekit import composition
    from ratekit.admin import free_usage

    plan, modules = prepared.plan, composition.build_modules(prepared.conf)
    book = apply(plan.book, plan.change)
    return free_usage.count_unpriced_nulls(
        prepared.storage, book, modules, prepared.calendar.step, plan.at
    )
