"""ratekit hashmap: the price rules."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from collections.abc import Collection, Iterator
from typing import Any

from ratekit import errors, hashmap_admin, rule_changes
from ratekit.cmd import base, common
from ratekit.domain import period
from ratekit.domain.rules import Rule


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

        desired = rules_file.read(parsed_args.file)
        conf = self.app.load_conf()
        self._warn_of_strangers(desired, conf.collect.metrics_conf)
        store = self.app.open_storage(conf).rules
        calendar = composition.build_calendar(conf)
        plan = hashmap_admin.plan(store, desired, calendar, self.app.clock())
        kept = _rules(len(plan.change.keep))
        if plan.empty:
            self._say(f"nothing to do: {kept} in force already")
            return 0
        for line in _difference(plan.change):
            self._say(line)
        self._say(f"  {kept} kept")
        if not parsed_args.yes and not self._confirmed():
            self._say("nothing was changed")
            return common.FAILED
        hashmap_admin.carry_out(store, plan, self.app.clock())
        self._say(f"done: {len(plan.change.add)} added, {len(plan.change.close)} closed")
        return 0

    def _confirmed(self) -> bool:
        if not self.app.stdin.isatty():
            raise errors.OperatorError(
                "nothing was changed: there is no terminal to ask on; --yes makes the change"
            )
        self.app.stdout.write("Make these changes? [y/N] ")
        self.app.stdout.flush()
        return self.app.stdin.readline().strip().lower() in ("y", "yes")

    def _warn_of_strangers(self, desired: Collection[Rule], path: str) -> None:
        known = _metric_names(path)
        services = dict.fromkeys(rule.parent.service for rule in desired)
        strange = [
            f"{name!r}{errors.nearest(name, known)}" for name in services if name not in known
        ]
        if known and strange:
            self.app.note(
                f"warning: no metric of {path} is called {', '.join(strange)}: "
                "such rules never match"
            )

    def _say(self, line: str) -> None:
        self.app.stdout.write(f"{line}\n")


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
        line = f"+ {rule_changes.describe(rule)}"
        lines.setdefault(rule_changes.identity(rule), []).append(line)
    for own in lines.values():
        yield from own


def _closed(rule: Rule, end: datetime.datetime) -> str:
    if end <= (rule.terms.start or period.EPOCH):
        return f"{rule_changes.describe(rule)} (before anything was charged by it)"
    terms = dataclasses.replace(rule.terms, end=end)
    return rule_changes.describe(dataclasses.replace(rule, terms=terms))


def _metric_names(path: str) -> frozenset[str]:
    """Return the public names in a metrics.yml as far as it can be read."""
    from ratekit import yaml_file

    try:
        content: Any = yaml_file.read(path).data
    except errors.BadInput:
        return frozenset()  # whoever rates with it is told
    metrics = content.get("metrics") if isinstance(content, dict) else None
    if not isinstance(metrics, dict):
        return frozenset()
    return frozenset(
        str(entry["alt_name"]) if isinstance(entry, dict) and entry.get("alt_name") else name
        for name, entry in metrics.items()
    )
