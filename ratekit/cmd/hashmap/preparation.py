"""What ``ratekit hashmap plan`` and ``apply`` have in common: a file, options, a plan."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.cmd import command_types, options
from ratekit.cmd.hashmap import rule_lines
from ratekit.cmd.output import cells
from ratekit.domain.rules.rule import Rule
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage

if TYPE_CHECKING:
    from ratekit.files.rules_file import PlacedRule


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedPlan:
    """A plan, and what it was made from.

    :ivar desired: the rules of the file
    :ivar warnings: what is allowed and yet suspicious
    """

    conf: Any
    storage: Storage
    calendar: Calendar
    desired: Sequence[Rule]
    plan: hashmap.Plan
    warnings: Sequence[errors.Mistake]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`prepare` reads."""
    parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="when what has no time of its own begins or ends: the begin of a period, ISO 8601, "
        "in UTC unless it says another zone; by default the next period's",
    )
    parser.add_argument(
        "--retroactive",
        action="store_true",
        help="prices of periods that have been rated may change; what was charged stays until "
        "it is reprocessed",
    )
    parser.add_argument(
        "--allow-unknown",
        action="store_true",
        help="take rules for services and fields that neither metrics.yml nor any usage has, "
        "and for scopes that are not known",
    )
    parser.add_argument(
        "--allow-free",
        action="store_true",
        help="let services that have been rated be left without any rule, and usage that costs "
        "something now cost nothing",
    )


def prepare(command: command_types.Action, parsed_args: argparse.Namespace) -> PreparedPlan:
    """Read the file and plan the change.

    :raises ratekit.errors.OperatorError: it is not to be made
    """
    from ratekit import composition
    from ratekit.files import rules_file

    placed = rules_file.read_placed(parsed_args.file)
    at = instant("--at", parsed_args.at)
    conf = command.app.load_conf()
    storage = command.app.open_storage(conf)
    calendar = composition.build_calendar(conf)
    desired = [one.rule for one in placed]
    plan = hashmap.plan(
        storage.rules, desired, calendar, command.app.clock(), at, parsed_args.retroactive
    )
    prepared = PreparedPlan(conf, storage, calendar, desired, plan, ())
    warnings = _warnings(parsed_args, placed, prepared)
    if not parsed_args.allow_free and not plan.change.empty:
        _require_priced(prepared)
    return dataclasses.replace(prepared, warnings=warnings)


def instant(option: str, text: str | None) -> datetime.datetime | None:
    """Read an option's time, if it is given.

    :raises ratekit.errors.OperatorError: it is none
    """
    return None if text is None else options.instant(option, text)


def lines(prepared: PreparedPlan, kept: bool = False, remedy: bool = True) -> Iterator[str]:
    """Yield what the plan does, like a diff.

    :param kept: name the rules that are kept as well
    :param remedy: say how to have done anew what the rules before have charged
    """
    change = prepared.plan.change
    if change.empty:
        yield f"nothing to do: {rule_lines.count(change.keep)} in force already"
    else:
        yield f"prices change from {rule_lines.since(change.since)} on:"
        for mark, text in rule_lines.difference(change.close, change.add):
            yield f"{mark} {text}"
        yield f"  {rule_lines.count(change.keep)} kept"
    if kept:
        for rule in change.keep:
            yield f"  {rule_lines.described(rule)}"
    yield from charged_lines(prepared, remedy)


def charged_lines(prepared: PreparedPlan, remedy: bool = True) -> Iterator[str]:
    """Yield what the rules before have charged until now, if the change is retroactive.

    :param remedy: say how to have it done anew
    """
    charged = hashmap.charged(prepared.storage, prepared.plan, prepared.calendar)
    if charged is None:
        return
    begin, end = map(cells.instant_text, (charged.begin, charged.end))
    frames = f"{charged.frames:,} frame{'' if charged.frames == 1 else 's'}"
    scopes = f"{charged.scopes:,} scope{'' if charged.scopes == 1 else 's'}"
    yield f"{begin} to {end}: up to {frames} of {scopes} were charged by the rules before"
    if not remedy:
        return
    whom = "--all-scopes" if charged.scope is None else f"--scope {shlex.quote(charged.scope)}"
    yield (
        f"they keep their prices until: ratekit reprocess --rates-only {whom} "
        f"--begin {begin} --end {end} --reason WHY"
    )


def _require_priced(prepared: PreparedPlan) -> None:
    """Refuse what would leave usage free of charge."""
    from ratekit import composition
    from ratekit.admin import rule_guards

    plan, modules = prepared.plan, composition.build_modules(prepared.conf)
    rule_guards.require_priced(
        plan.book, plan.change, prepared.storage, modules, prepared.calendar.step
    )


def _warnings(
    parsed_args: argparse.Namespace, placed: Sequence[PlacedRule], prepared: PreparedPlan
) -> Sequence[errors.Mistake]:
    """Return what is only suspicious; refuse new rules that never match."""
    from ratekit.admin import rule_guards
    from ratekit.domain.rules import calendar_labels
    from ratekit.files import metrics_file, rule_warnings

    path, metrics = parsed_args.file, prepared.conf.collect.metrics_conf
    change, reports = prepared.plan.change, prepared.storage.reports
    own_labels = metrics_file.labels(metrics, prepared.conf.collect.scope_key)
    labels = {name: own | calendar_labels.NAMES for name, own in own_labels.items()}
    for_one = any(one.rule.terms.scope is not None for one in placed)
    names = {row.id: row.name for row in reports.scopes()} if for_one else {}
    if not parsed_args.allow_unknown:
        new = rule_guards.newly_priced(placed, change)
        rule_guards.require_known(path, new, metrics, labels, reports)
        rule_guards.require_scopes(path, placed, change, names)
    found = [
        *rule_warnings.warnings(path, placed, metrics, labels),
        *rule_warnings.stray_scopes(path, placed, names),
        *rule_warnings.off_grid(path, placed, prepared.calendar.step),
    ]
    # In the order of the file, whatever each is about.
    found.sort(key=lambda one: one.line or 0)
    return [*found, *rule_warnings.unpriced(metrics, placed, labels)]
