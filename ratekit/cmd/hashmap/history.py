"""ratekit hashmap history: who changed the price rules, when, and how."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit.admin import hashmap, rule_lines
from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.domain.rules.history import ChangeRecord
from ratekit.text import second_text

_COLUMNS = (
    "Version", "Made at", "Made by", "From", "Retroactive", "Opened", "Closed", "Comment",
)  # fmt: skip
_TABLE_COLUMNS = ("Version", "Made at", "Made by", "From", "Comment")


class HashmapHistory(command_types.Listing):
    """List the changes of the price rules, newest first, or the rules that one of them changed.

    Changes made before ratekit recorded them are missing. A table has five of the columns unless
    --column names some.
    """

    arguments = " [VERSION]"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "version",
            metavar="VERSION",
            nargs="?",
            type=options.whole_number(1),
            help="version of the rules after the change",
        )
        parser.add_argument(
            "--limit",
            type=options.whole_number(1),
            default=20,
            metavar="N",
            help="list at most N changes; default: 20",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the changes, or the rules of one change."""
        store = self.app.open_storage(self.app.load_conf()).rules
        if parsed_args.version is None:
            self.table_columns = _TABLE_COLUMNS
            self.empty_note = "the price rules were never changed; see ratekit hashmap apply"
            return _table(store.records(parsed_args.limit))
        self.empty_note = "no rule was changed; see the comment in ratekit hashmap history"
        record = hashmap.find_record(store, parsed_args.version)
        closed = [(closure.rule, closure.end) for closure in record.closed]
        return ("Change", "Rule"), [
            (mark, text) for mark, text in rule_lines.difference(closed, record.opened)
        ]


def _table(
    records: Iterable[ChangeRecord],
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    return _COLUMNS, [
        (
            record.version,
            second_text(record.made_at),
            cells.optional(record.made_by),
            cells.optional(_start_text(record)),
            record.retroactive,
            len(record.opened),
            len(record.closed),
            cells.optional(record.comment),
        )
        for record in records
    ]


def _start_text(record: ChangeRecord) -> str | None:
    """Return from when prices changed; None: services, fields or groups changed without rules."""
    changes_rules = record.opened or record.closed
    return rule_lines.start_text(record.since) if changes_rules else None
