"""ratekit hashmap plan and apply: change the price rules."""

from __future__ import annotations

import argparse
import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ratekit.admin import hashmap
from ratekit.cmd import command_types, startup
from ratekit.cmd.hashmap import preparation
from ratekit.cmd.output import cells
from ratekit.cmd.output.scope_names import scope_names
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.text import count_text, utc_text

if TYPE_CHECKING:
    from ratekit.admin.what_if import Difference
    from ratekit.remote.client import Client

#: Exit code of ``plan --exit-code`` where there are changes: no other outcome has it.
_CHANGES = 3
#: What the API calls the fields of a difference.
_DIFFERENCE = ("scope", "metric", "frames", "price", "new_price")
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
        from ratekit.admin import rule_plan, rule_plan_words

        now = self.app.clock()
        since = preparation.read_optional_instant("--since", parsed_args.since, now)
        client = self.app.connect()
        if client is not None:
            return self._ask(client, parsed_args, since)
        conf, prepared = preparation.prepare(self, parsed_args)
        differences: Sequence[Difference] | None = None
        if since is not None:
            at = preparation.read_optional_instant("--at", parsed_args.at, now)
            mark = prepared.site.storage.purge.mark()
            text = mark.explain_missing(since, from_totals=False)
            if text is not None:
                self.app.note(text)
            differences = rule_plan.price_differences(prepared, since, at)
        if parsed_args.format == "json":
            document = cells.exact_texts(rule_plan_words.document(prepared, differences))
            json.dump(document, self.app.stdout, indent=2)
            self.print_line()
        else:
            for warning in prepared.warnings:
                self.app.note(f"warning: {warning}")
            for line in rule_plan_words.lines(prepared, parsed_args.all):
                self.print_line(line)
            if since is not None and differences is not None:
                names = scope_names(prepared.site.storage.reports.scopes(ALL_SCOPES))
                places = conf.rating.decimals
                self._print_differences(since, differences, parsed_args.all, names, places)
        changes = not prepared.plan.change.empty
        return _CHANGES if changes and parsed_args.exit_code else 0

    def _ask(
        self, client: Client, parsed_args: argparse.Namespace, since: datetime.datetime | None
    ) -> int:
        """Let the API plan the change, and print it."""
        from ratekit.admin.what_if import Difference
        from ratekit.remote.amounts import restore_amounts
        from ratekit.remote.client import reading_answers

        answer = client.post("/v2/rating/plan", preparation.request_body(self, parsed_args, since))
        body = restore_amounts(answer)
        with reading_answers():
            lines, purged = body.pop("lines"), body.pop("purged")
            differences = [
                Difference(*(entry[key] for key in _DIFFERENCE)) for entry in body["what_if"] or ()
            ]
            warnings, has_changes = body["warnings"], body["changes"]
        if purged is not None:
            self.app.note(purged)
        if parsed_args.format == "json":
            json.dump(cells.exact_texts(body), self.app.stdout, indent=2)
            self.print_line()
        else:
            for warning in warnings:
                self.app.note(f"warning: {warning}")
            for line in lines:
                self.print_line(line)
            if since is not None:
                names = scope_names(self.app.open_storage(None).reports.scopes(ALL_SCOPES))
                places = self.app.load_conf().rating.decimals
                self._print_differences(since, differences, parsed_args.all, names, places)
        return _CHANGES if has_changes and parsed_args.exit_code else 0

    def _print_differences(
        self,
        since: datetime.datetime,
        differences: Sequence[Difference],
        all_rows: bool,
        names: Mapping[str, str],
        places: int,
    ) -> None:
        self.print_line()
        self.print_line(f"with these rules since {utc_text(since)}:")
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
        from ratekit.admin import rule_plan_words

        _, prepared = preparation.prepare(self, parsed_args)
        for warning in prepared.warnings:
            self.app.note(f"warning: {warning}")
        for line in rule_plan_words.lines(prepared, remedy=False):
            self.print_line(line)
        plan = prepared.plan
        if plan.change.empty:
            return 0
        if not parsed_args.yes and not self.confirm("Make these changes?"):
            self.print_line("nothing was changed")
            return startup.FAILED
        store, now = prepared.site.storage.rules, self.app.clock()
        version = hashmap.make_change(store, plan, now, startup.operator(), parsed_args.comment)
        added, closed = len(plan.change.add), len(plan.change.close)
        self.print_line(f"done: {added} added, {closed} closed; the rules are at version {version}")
        # Only now: more may have been rated by the previous rules while we waited for an answer.
        for line in rule_plan_words.describe_replaced_charges(prepared):
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
