"""ratekit reprocess: price periods anew that were rated before."""

from __future__ import annotations

import argparse
import datetime
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ratekit import errors
from ratekit.admin import reprocess
from ratekit.admin import scope as scope_admin
from ratekit.cmd import command_types, options, startup
from ratekit.cmd.output import cells
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.interfaces import Storage

A = TypeVar("A")
R = TypeVar("R")

#: How many scopes of the same fate are named.
_NAMED = 5

_Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


class Reprocess(command_types.Listing):
    """Have periods that were rated before collected and priced anew, by the rules of now.

    Queues a task for each scope, which any processor takes. Each period is swapped at once:
    who reads sees the old or the new. A period whose data is gone is left as it was.
    """

    _total = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.usage = "%(prog)s [options] --scope SCOPE --begin TIME --end TIME --reason TEXT"
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help="which scope, by id or name; may be repeated",
        )
        whom.add_argument(
            "--all-scopes", action="store_true", help="every scope, as far as it has been rated"
        )
        for option, what in (("--begin", "begin of the first"), ("--end", "end of the last")):
            parser.add_argument(
                option,
                required=True,
                metavar="TIME",
                help=f"{what} period, ISO 8601, in UTC unless it says another zone",
            )
        parser.add_argument("--reason", metavar="TEXT", help="why; kept with the task")
        parser.add_argument(
            "--rates-only",
            action="store_true",
            help="price the stored usage anew; the metering back end is not asked",
        )
        parser.add_argument(
            "--accept-silence",
            action="store_true",
            help="swap also periods that lack usage now which was charged for, or a label "
            "without which it costs nothing",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and queue nothing"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """Show what would change, or queue tasks."""
        from ratekit import composition

        begin = options.instant("--begin", parsed_args.begin)
        end = options.instant("--end", parsed_args.end)
        kind = TaskKind.RATES if parsed_args.rates_only else TaskKind.COLLECT
        reason = " ".join((parsed_args.reason or "").split())
        if not reason and not parsed_args.dry_run:
            raise errors.OperatorError("--reason: expected why; it is kept with the task")
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        step = composition.build_calendar(conf).step
        orders = reprocess.orders(
            reprocess.ReprocessRequest(begin, end, step, kind, parsed_args.accept_silence),
            storage.tasks.rated(),
            _chosen(storage.reports.scopes(), parsed_args.scope),
            every=parsed_args.all_scopes,
        )
        if not orders:
            raise errors.OperatorError("no scope was rated then: there is nothing to price anew")
        for line in _clipped(orders, begin, end):
            self.app.note(line)
        if parsed_args.dry_run:
            return self._previewed(conf, storage, orders)
        if not parsed_args.yes and not self.confirmed(_question(orders)):
            raise errors.RatekitError("nothing was queued")
        note = TaskNote(reason, startup.operator(), self.app.clock())
        ids = storage.tasks.add(orders, note)
        return ("Task", "Scope", "Name", "Begin", "End"), [
            (id_, one.scope.id, cells.optional(one.scope.name), *_stretch(one))
            for id_, one in zip(ids, orders, strict=True)
        ]

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the rows, and below a table of differences their sum."""
        code = super().produce_output(parsed_args, column_names, data)
        if self._total and parsed_args.formatter == "table":
            self.app.stdout.write(f"{self._total}\n")
        return code

    def _previewed(self, conf: Any, storage: Storage, orders: Sequence[Order]) -> _Table:
        from ratekit import composition
        from ratekit.processing.repricer import Repricer

        offline = all(one.kind is TaskKind.RATES for one in orders)
        rater = composition.build_rater(conf, storage, _one_by_one, offline)
        repricer = Repricer(rater, storage.reports)
        previews = [reprocess.preview(repricer, storage.reports, one) for one in orders]
        for one in previews:
            for kept in one.kept:
                scope = cells.printable(one.order.scope.id)
                note = cells.printable(kept.note)
                self.app.note(f"scope {scope}, {kept.window}, is kept: {note}")
        rows = [(one.order, *item) for one in previews for item in one.changes.items()]
        self._total = _total([change for _, _, change in rows])
        return (
            "Scope", "Name", "Metric", "Unit", "Frames", "New frames", "Quantity",
            "New quantity", "Price", "New price", "Difference",
        ), [_difference(*row) for row in rows]  # fmt: skip


def _chosen(rows: Sequence[StateRow], words: Sequence[str]) -> Sequence[StateRow]:
    """Return the scopes that are named, each once; all where none is."""
    if not words:
        return rows
    found = {row.id: row for row in (scope_admin.find(rows, word) for word in words)}
    return list(found.values())


def _clipped(
    orders: Sequence[Order], begin: datetime.datetime, end: datetime.datetime
) -> Iterator[str]:
    """Yield a line for each shorter stretch that is all that some scopes were rated of."""
    stretches: dict[tuple[str, str], list[str]] = {}
    for one in orders:
        if (one.begin, one.end) != (begin, end):
            scope = cells.printable(one.scope.id)
            stretches.setdefault(_stretch(one), []).append(scope)
    for (first, last), scopes in stretches.items():
        who = f"scope {scopes[0]} was"
        if len(scopes) > 1:
            more = ", …" if len(scopes) > _NAMED else ""
            who = f"{len(scopes):,} scopes ({', '.join(scopes[:_NAMED])}{more}) were"
        yield f"{who} rated from {first} to {last} only: the rest is left out"


def _question(orders: Sequence[Order]) -> str:
    first = orders[0]
    who = f"scope {cells.printable(first.scope.id)}"
    if len(orders) > 1:
        who = f"{len(orders):,} scopes"
    periods = sum((one.end - one.begin) // one.step for one in orders)
    what = "Price the stored usage" if first.kind is TaskKind.RATES else "Collect and price"
    return f"{what} of {who} anew, {periods:,} period{'' if periods == 1 else 's'}?"


def _stretch(order: Order) -> tuple[str, str]:
    return cells.instant_text(order.begin), cells.instant_text(order.end)


def _difference(order: Order, metric: str, change: reprocess.Change) -> Sequence[Any]:
    (unit,) = change.units if len(change.units) == 1 else (None,)
    return (
        order.scope.id,
        cells.optional(order.scope.name),
        metric,
        cells.optional(unit),
        change.old.points,
        change.new.points,
        cells.amount(change.old.quantity if unit else None),
        cells.amount(change.new.quantity if unit else None),
        cells.amount(change.old.price),
        cells.amount(change.new.price),
        cells.amount(EXACT.subtract(change.new.price, change.old.price)),
    )


def _total(changes: Sequence[reprocess.Change]) -> str:
    old = functools.reduce(EXACT.add, (one.old.price for one in changes), ZERO)
    new = functools.reduce(EXACT.add, (one.new.price for one in changes), ZERO)
    more = cells.decimal_text(EXACT.subtract(new, old))
    prices = f"{cells.decimal_text(old)} now, {cells.decimal_text(new)} then"
    return f"Total: price {prices}, difference {more}; nothing was changed"


def _one_by_one(
    function: Callable[[A], R], items: Collection[A], limit: int, seconds: float, what: str
) -> list[R]:
    """Call ``function`` with each item: a command has no green threads."""
    return [function(item) for item in items]
