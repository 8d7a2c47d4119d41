"""ratekit hashmap history: who changed the price rules, when, and how."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit.admin import hashmap
from ratekit.cmd import command_types
from ratekit.cmd.hashmap import rule_lines
from ratekit.cmd.output import cells
from ratekit.domain.rules.history import ChangeRecord


class HashmapHistory(command_types.Listing):
    """List changes of the price rules, newest first; with VERSION, what that one did.

    Changes that were made by a ratekit that kept no record are not listed.
    """

    arguments = " [VERSION]"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "version",
            metavar="VERSION",
            nargs="?",
            type=_natural,
            help="version of the rules that the change led to",
        )
        parser.add_argument(
            "--limit",
            type=_natural,
            default=20,
            metavar="N",
            help="list at most so many; by default 20",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the changes, or the lines of one."""
        store = self.app.open_storage(self.app.load_conf()).rules
        if parsed_args.version is None:
            return _changes(store.records(parsed_args.limit))
        record = hashmap.record(store, parsed_args.version)
        closed = [(one.rule, one.end) for one in record.closed]
        return ("Change", "Rule"), [
            (mark, cells.printable(text))
            for mark, text in rule_lines.difference(closed, record.opened)
        ]


def _changes(
    records: Iterable[ChangeRecord],
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    columns = (
        "Version", "Made at", "Made by", "From", "Retroactive", "Opened", "Closed", "Comment",
    )  # fmt: skip
    return columns, [
        (
            one.version,
            cells.instant_text(one.made_at.replace(microsecond=0)),
            cells.optional(one.made_by),
            rule_lines.since(one.since),
            one.retroactive,
            len(one.opened),
            len(one.closed),
            cells.optional(one.comment),
        )
        for one in records
    ]


def _natural(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return number
