"""ratekit-dbsync: migrate the database to the schema of this release, and purge it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratekit.storage.ledger.totals_check import TotalsCheck

PROG = "ratekit-dbsync"

_NAMES = ("upgrade", "version", "check", "purge", "check-totals", "repair-totals")
_ACTIONS = """
upgrade        bring the database to the newest schema; safe to repeat
version        print the revision of the database and the newest
check          exit with 0 if the database is at the newest schema, else with 1
purge          remove frames and totals before a time, beside processors that run; safe to
               interrupt and to repeat
check-totals   exit with 0 if the sums of each day are those of the totals, else print what is
               wrong and exit with 1; reads all totals, beside processors that run
repair-totals  add the totals of wrong days up again, beside processors that run
"""
#: Wrong days that are printed one by one.
_SHOWN = 20
#: Rows of one transaction of a purge; 10,000 took a third of a second on a busy PostgreSQL.
_BATCH = 5_000
#: Seconds between two of them, in which others come in.
_PAUSE = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one action.

    :returns: 0 done; 1 the database did not answer, or ``check`` found another schema;
        2 the configuration is wrong
    """
    arguments = build_parser().parse_args(argv)
    from ratekit import errors
    from ratekit.cmd import configuration, launch, startup

    startup.prepare_streams()
    try:
        startup.handle_interrupts()
        with configuration.translate_errors():
            files = [f"--config-file={path}" for path in arguments.config_file]
            conf = configuration.load(PROG, files)
            if arguments.action == "purge":
                return _purge(conf, arguments)
            actions = {
                "upgrade": _upgrade,
                "version": _print_version,
                "check": _check,
                "check-totals": _check_totals,
                "repair-totals": _repair_totals,
            }
            return actions[arguments.action](conf.database.connection)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        return launch.INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage=f"%(prog)s [--config-file FILE] {{{','.join(_NAMES)}}}",
        description="Migrate the database to the schema of this release of ratekit; purge it.",
        epilog=_ACTIONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=_NAMES, help="see below")
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="configuration file; may be repeated; default: the file that RATEKIT_CONFIG "
        "names, or ratekit.conf in ~/.ratekit, ~, /etc/ratekit or /etc",
    )
    group = parser.add_argument_group("options of purge")
    group.add_argument(
        "--before",
        metavar="TIME",
        help="remove what begins earlier, such as 2026-01 or -400d; required",
    )
    group.add_argument("--keep-totals", action="store_true", help="remove frames only")
    group.add_argument("--dry-run", action="store_true", help="show how much; remove nothing")
    group.add_argument(
        "--force", action="store_true", help="the current and the previous month may go, too"
    )
    return parser


def _purge(conf: Any, arguments: argparse.Namespace) -> int:
    from ratekit import errors
    from ratekit.cmd import instants, startup
    from ratekit.domain.purge import PurgeCount, explain_limit
    from ratekit.storage.sql import build_storage
    from ratekit.text import count_text, utc_text

    if arguments.before is None:
        raise errors.OperatorError("purge needs --before TIME")
    now = startup.now()
    before = instants.read_instant("--before", arguments.before, now)
    storage = build_storage(conf)
    newest = storage.rules.last_rated_end()
    limit = now if newest is None else min(newest, now)
    if (refusal := explain_limit(before, limit, arguments.force)) is not None:
        raise errors.OperatorError(f"--before {utc_text(before)}: {refusal}")
    totals = not arguments.keep_totals
    if behind := storage.purge.scopes_behind(before):
        scopes = count_text(behind, "scope")
        print(
            f"{PROG}: {scopes} not yet rated until {utc_text(before)}: left out; purge again later",
            file=sys.stderr,
        )
    if arguments.dry_run:
        count = storage.purge.count(before, totals)
        print(f"{count} before {utc_text(before)} would be removed")
        return 0
    storage.purge.start(before, totals)
    removed = PurgeCount()
    for step in storage.purge.remove(_BATCH):
        removed += step
        time.sleep(_PAUSE)
    print(f"{removed} before {utc_text(before)} were removed")
    return 0


def _upgrade(url: str) -> int:
    from ratekit.storage import migrate, revisions

    place = _place(url)
    before = revisions.current(url)
    migrate.upgrade(url)
    after = revisions.current(url)
    if before == after:
        print(f"{place}: nothing to do: at revision {after}, the newest")
    else:
        print(f"{place}: upgraded from {_revision_text(before)} to revision {after}")
    return 0


def _print_version(url: str) -> int:
    from ratekit.storage import revisions

    current = _revision_text(revisions.current(url))
    print(f"database: {_place(url)}\ncurrent: {current}\nnewest: revision {revisions.head()}")
    return 0


def _check(url: str) -> int:
    from ratekit import errors
    from ratekit.cmd import startup
    from ratekit.storage import revisions

    revisions.current(url)  # raises if the URL cannot be used, which is bad input
    try:
        revisions.check(url)
    except errors.OperatorError as error:
        # The answer to the question, not a mistake in the input: 1 instead of 2.
        startup.complain(PROG, error)
        return startup.FAILED
    print(f"{_place(url)} is at revision {revisions.head()}, the newest")
    return 0


def _check_totals(url: str) -> int:
    from ratekit import errors
    from ratekit.cmd import startup
    from ratekit.text import count_text

    count = _print_differences(_totals_check(url).compare())
    if count == 0:
        print(f"{_place(url)}: the daily totals are the sums of the totals")
        return 0
    wrong = count_text(count, "daily total")
    error = errors.OperatorError(f"{wrong} wrong; run ratekit-dbsync repair-totals")
    startup.complain(PROG, error)
    return startup.FAILED


def _repair_totals(url: str) -> int:
    from ratekit.text import count_text

    count = _print_differences(_totals_check(url).repair())
    print(f"{_place(url)}: {count_text(count, 'daily total')} repaired")
    return 0


def _totals_check(url: str) -> TotalsCheck:
    from ratekit.storage import revisions
    from ratekit.storage.db.engine import Database
    from ratekit.storage.ledger.totals_check import TotalsCheck

    database = Database(url, needs=revisions.head())
    revisions.require_head(database)
    return TotalsCheck(database)


def _print_differences(differences: Iterable[object]) -> int:
    """Print the first ones as they come; return the number of all."""
    count = 0
    for count, difference in enumerate(differences, 1):
        if count <= _SHOWN:
            print(difference)
    if count > _SHOWN:
        print(f"... and {count - _SHOWN} more")
    return count


def _place(url: str) -> str:
    """Return which database this is: a default may apply where an option is misspelt."""
    from ratekit.storage.db.engine import Database

    return Database(url).place


def _revision_text(revision: str | None) -> str:
    if revision is None:
        return "no tables"
    before, arrow, after = revision.partition(">")
    if arrow:
        return (
            f"an unfinished migration from {_revision_text(before or None)} "
            f"to {_revision_text(after or None)}"
        )
    return f"revision {revision}"
