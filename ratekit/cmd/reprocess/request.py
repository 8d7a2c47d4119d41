"""ratekit reprocess: rate periods again, as tasks for the processor."""

from __future__ import annotations

import argparse
import datetime
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ratekit import errors
from ratekit.admin import reprocess
from ratekit.cmd import command_types, instants, options, startup
from ratekit.cmd.output import cells
from ratekit.cmd.output.table import Style
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import ALL_SCOPES, StateRow
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.interfaces import Storage
from ratekit.text import count_text, list_text, utc_text

A = TypeVar("A")
R = TypeVar("R")

#: The columns of a dry run in a table.
_PREVIEW_COLUMNS = (
    "Name", "Metric", "Frames", "New frames", "Price", "New price", "Difference",
)  # fmt: skip

_Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


class Reprocess(command_types.Listing):
    """Collect and price periods again that were rated before, by the newest rules.

    Queues a task for each scope; any processor may run it. The frames of a period are replaced
    in one transaction. A period whose data is gone is left unchanged and reported.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.usage = "%(prog)s [options] --scope SCOPE --begin TIME --end TIME --reason TEXT"
        scopes = parser.add_mutually_exclusive_group(required=True)
        scopes.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help="only this scope, by ID or name; may be repeated",
        )
        scopes.add_argument(
            "--all-scopes", action="store_true", help="every scope, where it has been rated"
        )
        for option, boundary in (("--begin", "start of the first"), ("--end", "end of the last")):
            parser.add_argument(option, metavar="TIME", help=f"{boundary} period, {instants.TIME}")
        parser.add_argument(
            "--month",
            metavar="MONTH",
            help="instead of --begin and --end: what has been rated of a month (UTC), "
            f"{instants.MONTH}",
        )
        parser.add_argument(
            "--reason", metavar="TEXT", help="why; recorded with the task, required to queue one"
        )
        parser.add_argument(
            "--rates-only",
            action="store_true",
            help="price the stored usage again, without the metering back end",
        )
        parser.add_argument(
            "--accept-silence",
            action="store_true",
            help="replace also periods in which usage that was charged is now missing, or has lost "
            "a label without which it is free",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change; queue nothing"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """Show what would change, or queue tasks."""
        from ratekit.conf import collect

        begin, end = _read_range(parsed_args, self.app.clock())
        kind = TaskKind.RATES if parsed_args.rates_only else TaskKind.COLLECT
        reason = ""
        if not parsed_args.dry_run:
            reason = reprocess.read_reason("--reason", parsed_args.reason)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        step = collect.build_calendar(conf).step
        orders = reprocess.build_orders(
            reprocess.ReprocessRequest(begin, end, step, kind, parsed_args.accept_silence),
            storage.tasks.rated_ranges(),
            _find_scopes(storage.reports.scopes(ALL_SCOPES), parsed_args.scope),
            shorten=parsed_args.all_scopes or parsed_args.month is not None,
        )
        reprocess.require_any(orders)
        for line in _describe_shortened_orders(orders, begin, end):
            self.app.note(line)
        reprocess.require_unpurged(storage.purge, orders)
        if parsed_args.dry_run:
            return self._preview(conf, storage, orders)
        if not parsed_args.yes and not self.confirm(_question(orders)):
            raise errors.RatekitError("nothing was queued")
        note = TaskNote(reason, startup.operator(), self.app.clock())
        ids = storage.tasks.add(orders, note)
        return ("Task", "Scope", "Name", "Begin", "End"), [
            (id_, order.scope.id, cells.optional(order.scope.name), *_bounds(order))
            for id_, order in zip(ids, orders, strict=True)
        ]

    def _preview(self, conf: Any, storage: Storage, orders: Sequence[Order]) -> _Table:
        from ratekit import composition

        offline = all(order.kind is TaskKind.RATES for order in orders)
        repricer = composition.build_repricer(conf, storage, _call_in_turn, startup.now, offline)
        previews = [reprocess.preview(repricer, storage.reports, order) for order in orders]
        for preview in previews:
            for periods in preview.kept_periods:
                scope = preview.order.scope.id
                note = periods.note
                self.app.note(f"scope {scope}, {periods.window}, is left unchanged: {note}")
        rows = [
            (preview.order, metric, change)
            for preview in previews
            for metric, change in preview.changes.items()
        ]
        self.footer = [_total([change for _, _, change in rows])]
        self.table_columns = _PREVIEW_COLUMNS
        self.style = Style(keys=2)
        return (
            "Scope", "Name", "Metric", "Unit", "Frames", "New frames", "Quantity",
            "New quantity", "Price", "New price", "Difference",
        ), [_difference(*row, conf.rating.decimals) for row in rows]  # fmt: skip


def _read_range(
    parsed_args: argparse.Namespace, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    if parsed_args.month is not None:
        options.refuse_bounds(parsed_args)
        return instants.read_month("--month", parsed_args.month, now)
    if parsed_args.begin is None or parsed_args.end is None:
        raise errors.OperatorError("expected --begin and --end, or --month")
    begin = instants.read_instant("--begin", parsed_args.begin, now)
    return begin, instants.read_instant("--end", parsed_args.end, now)


def _find_scopes(rows: Sequence[StateRow], words: Sequence[str]) -> Sequence[StateRow]:
    """Return the scopes that ``--scope`` names, each once; without words all scopes."""
    if not words:
        return rows
    rows_by_id = {row.id: row for row in (options.find_scope(rows, word) for word in words)}
    return list(rows_by_id.values())


def _describe_shortened_orders(
    orders: Sequence[Order], begin: datetime.datetime, end: datetime.datetime
) -> Iterator[str]:
    """Yield a line for each shorter time for which some of the scopes were rated."""
    scopes_by_bounds: dict[tuple[str, str], list[str]] = {}
    for order in orders:
        if (order.begin, order.end) != (begin, end):
            scope = order.scope.id
            scopes_by_bounds.setdefault(_bounds(order), []).append(scope)
    for (first, last), scopes in scopes_by_bounds.items():
        subject = f"scope {scopes[0]} was"
        if len(scopes) > 1:
            subject = f"{count_text(len(scopes), 'scope')} ({list_text(scopes)}) were"
        yield f"{subject} rated only from {first} to {last}: the remaining time is skipped"


def _question(orders: Sequence[Order]) -> str:
    first = orders[0]
    scopes = f"scope {first.scope.id}"
    if len(orders) > 1:
        scopes = count_text(len(orders), "scope")
    periods = sum((order.end - order.begin) // order.step for order in orders)
    verb = "Price the stored usage" if first.kind is TaskKind.RATES else "Collect and price usage"
    return f"{verb} of {scopes} again ({count_text(periods, 'period')})?"


def _bounds(order: Order) -> tuple[str, str]:
    return utc_text(order.begin), utc_text(order.end)


def _difference(order: Order, metric: str, change: reprocess.Change, places: int) -> Sequence[Any]:
    (unit,) = change.units if len(change.units) == 1 else (None,)
    return (
        order.scope.id,
        cells.optional(order.scope.name),
        metric,
        cells.optional(unit),
        change.old.points,
        change.new.points,
        cells.short_amount(change.old.quantity if unit else None, places),
        cells.short_amount(change.new.quantity if unit else None, places),
        cells.short_amount(change.old.price, places),
        cells.short_amount(change.new.price, places),
        cells.short_amount(EXACT.subtract(change.new.price, change.old.price), places),
    )


def _total(changes: Sequence[reprocess.Change]) -> str:
    old = functools.reduce(EXACT.add, (change.old.price for change in changes), ZERO)
    new = functools.reduce(EXACT.add, (change.new.price for change in changes), ZERO)
    difference = cells.decimal_text(EXACT.subtract(new, old))
    prices = f"{cells.decimal_text(old)} now, {cells.decimal_text(new)} after reprocessing"
    return f"Total: price {prices}, difference {difference}; nothing was changed"


def _call_in_turn(
    function: Callable[[A], R], items: Collection[A], limit: int, seconds: float, description: str
) -> list[R]:
    """Call ``function`` with each item, one after another: a command has no green threads."""
    return [function(item) for item in items]
