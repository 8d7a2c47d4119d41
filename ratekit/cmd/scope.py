"""ratekit scope: who is rated, and how far."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit.cmd import base, formatting
from ratekit.domain.reports import StateRow


class ScopeList(base.Listing):
    """List scopes and how far they have been rated.

    Lag is how long the newest period that is due has been waiting to be rated, 0 when none
    is; in seconds for machines.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--all", action="store_true", help="list those that are no longer rated as well"
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the scopes, by name and id."""
        from ratekit import composition

        conf = self.app.load_conf()
        due = composition.build_calendar(conf).due_until(self.app.clock())
        rows = self.app.open_storage(conf).reports.scopes()
        return (
            ("Scope", "Name", "Rated until", "Lag", "State"),
            [_shown(row, due) for row in rows if row.active or parsed_args.all],
        )


def _shown(row: StateRow, due: datetime.datetime) -> Sequence[Any]:
    lag = max(due - row.rated_until, datetime.timedelta(0)) if row.active else None
    return (
        row.id,
        formatting.optional(row.name),
        formatting.instant_text(row.rated_until),
        formatting.duration(lag),
        formatting.optional(_state(row)),
    )


def _state(row: StateRow) -> str:
    if not row.active:
        return "inactive"
    if not row.failures:
        return "active"
    text = f"failing ({row.failures}): {row.last_error or 'unknown error'}"
    return text + (f", retry at {formatting.instant_text(row.retry_at)}" if row.retry_at else "")
