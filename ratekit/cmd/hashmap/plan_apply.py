"""ratekit hashmap plan and apply: change the price rules."""

from __future__ import annotations

import argparse
import datetime
import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratekit.admin import hashmap
from ratekit.admin import scope as scope_admin
from ratekit.cmd import command_types, startup
from ratekit.cmd.hashmap import preparation, rule_lines
from ratekit.cmd.output import cells
from ratekit.cmd.output.scope_names import scope_names
from ratekit.domain.exact import EXACT, ZERO
from ratekit.text import count_text, utc_text

if TYPE_CHECKING:
    from ratekit.admin.what_if import Difference

#: Exit code of ``plan --exit-code`` where there are changes: no other outcome has it.
_CHANGES = 3
_COLUMNS = ("Scope", "Metric", "Frames", "Price", "New price", "Difference")


class HashmapPlan(command_types.Action):
    """Show what applying a file of price rules would change. Changes nothing.

    The output is like a diff: - closes a rule, + adds one. With --since it also shows what
    rated usage would have cost by the rules of the file.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        preparation.add_options(parser)
        parser.add_argument(
            "--since",
            metavar="TIME",
            help="price all usage rated since then (the start of a period) as if the file had been "
            "in force; --at and rules with a start of their own keep their start",
        )
        parser.add_argument("--all", action="store_true", help="show also what stays the same")
        parser.add_argument(
            "--exit-code", action="store_true", help="exit with 3 if there are changes"
        )
        parser.add_argument(
            "-f", "--format", choices=("text", "json"), default="text", help="default: text"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan the change and print it."""
        from ratekit.admin import what_if

        now = self.app.clock()
        since = preparation.read_optional_instant("--since", parsed_args.since, now)
        prepared = preparation.prepare(self, parsed_args)
        differences: Sequence[Difference] | None = None
        if since is not None:
            from ratekit import composition

            scope_admin.require_start(since, prepared.calendar.step)
            at = preparation.read_optional_instant("--at", parsed_args.at, now) or since
            book = what_if.build_book(prepared.plan.book, prepared.desired, at)
            prices = composition.build_price_list(prepared.conf, book)
            storage = prepared.storage
            text = storage.purge.mark().explain_missing(since, from_totals=False)
            if text is not None:
                self.app.note(text)
            differences = what_if.price_differences(storage.reports, prices, since)
        if parsed_args.format == "json":
            json.dump(_document(prepared, differences), self.app.stdout, indent=2)
            self.print_line()
        else:
            self._print(prepared, parsed_args.all, since, differences)
        changes = not prepared.plan.change.empty
        return _CHANGES if changes and parsed_args.exit_code else 0

    def _print(
        self,
        prepared: preparation.PreparedPlan,
        all_rows: bool,
        since: datetime.datetime | None,
        differences: Sequence[Difference] | None,
    ) -> None:
        for warning in prepared.warnings:
            self.app.note(f"warning: {warning}")
        for line in preparation.lines(prepared, all_rows):
            self.print_line(line)
        if since is None or differences is None:
            return
        self.print_line()
        self.print_line(f"with these rules since {utc_text(since)}:")
        names = scope_names(prepared.storage.reports.scopes())
        places = prepared.conf.rating.decimals
        rows = [
            (
                cells.optional(names.get(difference.scope, difference.scope)),
                cells.optional(difference.metric),
                difference.frames,
                cells.short_amount(difference.stored, places),
                cells.short_amount(difference.new, places),
                cells.short_amount(difference.amount, places),
            )
            for difference in differences
            if difference.amount or all_rows
        ]
        if rows:
            self.print_table(_COLUMNS, rows)
        self.print_line(_total(differences))


class HashmapApply(command_types.Action):
    """Replace the price rules with those of a file.

    The file is the complete desired state: rules that it lacks are closed. New prices apply
    from the next period unless a time is given. Existing charges never change. Who made the
    change and when is recorded: see hashmap history.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        preparation.add_options(parser)
        parser.add_argument("--comment", metavar="TEXT", help="why; shown by hashmap history")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan the change, print it, ask, and make it."""
        prepared = preparation.prepare(self, parsed_args)
        for warning in prepared.warnings:
            self.app.note(f"warning: {warning}")
        for line in preparation.lines(prepared, remedy=False):
            self.print_line(line)
        plan = prepared.plan
        if plan.change.empty:
            return 0
        if not parsed_args.yes and not self.confirm("Make these changes?"):
            self.print_line("nothing was changed")
            return startup.FAILED
        store, now = prepared.storage.rules, self.app.clock()
        version = hashmap.make_change(store, plan, now, startup.operator(), parsed_args.comment)
        added, closed = len(plan.change.add), len(plan.change.close)
        self.print_line(f"done: {added} added, {closed} closed; the rules are at version {version}")
        # Only now: more may have been rated by the previous rules while we waited for an answer.
        for line in preparation.describe_replaced_charges(prepared):
            self.print_line(line)
        return 0


def _total(differences: Sequence[Difference]) -> str:
    stored = functools.reduce(EXACT.add, (entry.stored for entry in differences), ZERO)
    new = functools.reduce(EXACT.add, (entry.new for entry in differences), ZERO)
    text = cells.decimal_text
    frames = count_text(sum(entry.frames for entry in differences), "frame")
    return (
        f"Total: {frames}, price {text(stored)} now, {text(new)} with these rules, difference "
        f"{text(EXACT.subtract(new, stored))}; nothing was changed"
    )


def _document(
    prepared: preparation.PreparedPlan, differences: Sequence[Difference] | None
) -> dict[str, Any]:
    change = prepared.plan.change
    sources = prepared.storage, prepared.plan, prepared.calendar
    text = cells.decimal_text
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
        "what_if": None
        if differences is None
        else [
            {
                "scope": difference.scope,
                "metric": difference.metric,
                "frames": difference.frames,
                "price": text(difference.stored),
                "new_price": text(difference.new),
                "difference": text(difference.amount),
            }
            for difference in differences
        ],
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
