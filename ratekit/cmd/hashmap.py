"""ratekit hashmap: the price rules."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from ratekit import errors, hashmap_admin, rule_changes
from ratekit.cmd import base, common
from ratekit.domain import period
from ratekit.domain.rules import Rule

if TYPE_CHECKING:
    from ratekit.rules_file import PlacedRule


class HashmapApply(base.Action):
    """Make the price rules what a file says.

    The file is the whole desired state: rules that it lacks are closed. New prices are in
    force from the next period on; what has been charged is never changed.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan, show, ask, and make the change."""
        from ratekit import composition, rules_file

        placed = rules_file.read_placed(parsed_args.file)
        desired = [one.rule for one in placed]
        conf = self.app.load_conf()
        self._warn(parsed_args.file, placed, conf.collect)
        store = self.app.open_storage(conf).rules
        calendar = composition.build_calendar(conf)
        plan = hashmap_admin.plan(store, desired, calendar, self.app.clock())
        kept = _rules(len(plan.change.keep))
        if plan.empty:
            self.say(f"nothing to do: {kept} in force already")
            return 0
        for line in _difference(plan.change):
            self.say(line)
        self.say(f"  {kept} kept")
        if not parsed_args.yes and not self.confirmed("Make these changes?"):
            self.say("nothing was changed")
            return common.FAILED
        hashmap_admin.carry_out(store, plan, self.app.clock())
        self.say(f"done: {len(plan.change.add)} added, {len(plan.change.close)} closed")
        return 0

    def _warn(self, path: str, placed: Collection[PlacedRule], section: Any) -> None:
        from ratekit import metrics_file, rule_warnings
        from ratekit.rating import calendar_fields

        metrics = section.metrics_conf
        labels = {
            name: own | calendar_fields.NAMES
            for name, own in metrics_file.labels(metrics, section.scope_key).items()
        }
        for warning in rule_warnings.warnings(path, placed, metrics, labels):
            self.app.note(f"warning: {warning}")


class HashmapExport(base.Action):
    """Write the price rules that are in force now or later.

    In the format that hashmap apply reads; applying it as it is changes nothing.
    """

    arguments = " [FILE]"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "file", metavar="FILE", nargs="?", help="a new file; by default standard output"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Write the rules."""
        from ratekit import rules_file

        store = self.app.open_storage(self.app.load_conf()).rules
        text = rules_file.render(hashmap_admin.export(store, self.app.clock()))
        if parsed_args.file is None:
            self.app.stdout.write(text)
            return 0
        try:
            # An operator's own file has comments that this one lacks.
            with open(parsed_args.file, "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise errors.OperatorError(
                f"{parsed_args.file}: cannot be written: {error.strerror}"
            ) from None
        return 0


def _rules(count: int) -> str:
    return f"{count:,} rule{'' if count == 1 else 's'}"


def _difference(change: rule_changes.RuleChange) -> Iterator[str]:
    """Yield a line for each rule that is closed or added; what replaces one follows it."""
    lines: dict[rule_changes.Identity, list[str]] = {}
    for rule, end in change.close:
        lines.setdefault(rule_changes.identity(rule), []).append(f"- {_closed(rule, end)}")
    for rule in change.add:
        line = f"+ {rule_changes.describe(hashmap_admin.open_left(rule))}"
        lines.setdefault(rule_changes.identity(rule), []).append(line)
    for own in lines.values():
        yield from own


def _closed(rule: Rule, end: datetime.datetime) -> str:
    if end <= (rule.terms.start or period.EPOCH):
        return f"{rule_changes.describe(rule)} (before anything was charged by it)"
    terms = dataclasses.replace(rule.terms, end=end)
    return rule_changes.describe(dataclasses.replace(rule, terms=terms))
