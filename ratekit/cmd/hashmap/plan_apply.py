"""ratekit hashmap plan and apply: changing the price rules."""

from __future__ import annotations

import argparse
import datetime
import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratekit.admin import hashmap, scope
from ratekit.cmd import command_types, startup
from ratekit.cmd.hashmap import preparation, rule_lines
from ratekit.cmd.output import cells
from ratekit.domain.exact import EXACT, ZERO

if TYPE_CHECKING:
    from ratekit.admin.what_if import Difference

#: Exit code of ``plan --exit-code`` where there are changes: no other outcome has it.
_CHANGES = 3
_COLUMNS = ("Scope", "Name", "Metric", "Frames", "Price", "New price", "Difference")


class HashmapPlan(command_types.Action):
    """Show what applying a file of price rules would change; change nothing.

    Like a diff: - is closed, + is added. With --since also what usage that has been rated
    would have cost, had the file been in force since then.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        preparation.add_options(parser)
        parser.add_argument(
            "--since",
            metavar="TIME",
            help="price all usage that was rated from then on, the begin of a period, as if the "
            "file had been in force; rules with a start of their own, and --at, begin as they say",
        )
        parser.add_argument("--all", action="store_true", help="show what stays the same as well")
        parser.add_argument(
            "--exit-code", action="store_true", help="exit with 3 if there is anything to change"
        )
        parser.add_argument(
            "-f", "--format", choices=("text", "json"), default="text", help="by default text"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan and show."""
        from ratekit.admin import what_if

        since = preparation.instant("--since", parsed_args.since)
        prepared = preparation.prepare(self, parsed_args)
        found: Sequence[Difference] | None = None
        if since is not None:
            from ratekit import composition
            from ratekit.pricing import price_list

            scope.require_begin(since, prepared.calendar.step)
            at = preparation.instant("--at", parsed_args.at) or since
            book = what_if.supposed(prepared.plan.book, prepared.desired, at)
            prices = price_list.PriceList(composition.build_modules(prepared.conf), book)
            found = what_if.differences(prepared.storage.reports, prices, since)
        if parsed_args.format == "json":
            self.say(json.dumps(_document(prepared, found), indent=2))
        else:
            self._show(prepared, parsed_args.all, since, found)
        changes = not prepared.plan.change.empty
        return _CHANGES if changes and parsed_args.exit_code else 0

    def _show(
        self,
        prepared: preparation.PreparedPlan,
        everything: bool,
        since: datetime.datetime | None,
        found: Sequence[Difference] | None,
    ) -> None:
        for warning in prepared.warnings:
            self.app.note(f"warning: {warning}")
        for line in preparation.lines(prepared, everything):
            self.say(line)
        if since is None or found is None:
            return
        self.say(f"\nhad it been in force since {cells.instant_text(since)}:")
        names = {row.id: row.name for row in prepared.storage.reports.scopes()}
        shown = [one for one in found if one.difference or everything]
        rows = [
            (
                cells.optional(one.scope),
                cells.optional(names.get(one.scope, "")),
                cells.optional(one.metric),
                one.frames,
                cells.amount(one.stored),
                cells.amount(one.new),
                cells.amount(one.difference),
            )
            for one in shown
        ]
        if rows:
            self.table(_COLUMNS, rows)
        self.say(_total(found))


class HashmapApply(command_types.Action):
    """Make the price rules what a file says.

    The file is the whole desired state: rules that it lacks are closed. New prices are in
    force from the next period on, unless a time is given; what has been charged is never
    changed by it. Who made the change, and when, is kept: see hashmap history.
    """

    arguments = " FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        preparation.add_options(parser)
        parser.add_argument("--comment", metavar="TEXT", help="why, for hashmap history")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan, show, ask, and make the change."""
        prepared = preparation.prepare(self, parsed_args)
        for warning in prepared.warnings:
            self.app.note(f"warning: {warning}")
        for line in preparation.lines(prepared, remedy=False):
            self.say(line)
        plan = prepared.plan
        if plan.change.empty:
            return 0
        if not parsed_args.yes and not self.confirmed("Make these changes?"):
            self.say("nothing was changed")
            return startup.FAILED
        store, now = prepared.storage.rules, self.app.clock()
        version = hashmap.carry_out(store, plan, now, startup.operator(), parsed_args.comment)
        added, closed = len(plan.change.add), len(plan.change.close)
        self.say(f"done: {added} added, {closed} closed; the rules are at version {version}")
        # Only now, since more was rated by the rules before while we waited for an answer.
        for line in preparation.charged_lines(prepared):
            self.say(line)
        return 0


def _total(found: Sequence[Difference]) -> str:
    stored, new = (
        functools.reduce(EXACT.add, values, ZERO)
        for values in ([one.stored for one in found], [one.new for one in found])
    )
    text = cells.decimal_text
    frames = sum(one.frames for one in found)
    return (
        f"Total: {frames:,} frames, price {text(stored)} now, {text(new)} then, difference "
        f"{text(EXACT.subtract(new, stored))}; nothing was changed"
    )


def _document(
    prepared: preparation.PreparedPlan, found: Sequence[Difference] | None
) -> dict[str, Any]:
    change = prepared.plan.change
    charged = hashmap.charged(prepared.storage, prepared.plan, prepared.calendar)
    text = cells.decimal_text
    return {
        "from": None if change.empty else rule_lines.since(change.since),
        "retroactive": prepared.plan.retroactive,
        "changes": [
            {"change": "close" if mark == "-" else "add", "rule": line}
            for mark, line in rule_lines.difference(change.close, change.add)
        ],
        "kept": len(change.keep),
        "charged": None
        if charged is None
        else {
            "begin": cells.instant_text(charged.begin),
            "end": cells.instant_text(charged.end),
            "frames": charged.frames,
            "scopes": charged.scopes,
        },
        "warnings": [str(one) for one in prepared.warnings],
        "what_if": None
        if found is None
        else [
            {
                "scope": one.scope,
                "metric": one.metric,
                "frames": one.frames,
                "price": text(one.stored),
                "new_price": text(one.new),
                "difference": text(one.difference),
            }
            for one in found
        ],
    }
