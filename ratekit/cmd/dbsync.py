"""ratekit-dbsync: migrate the database to the schema of this release."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

PROG = "ratekit-dbsync"

_ACTIONS = """
upgrade   bring the database to the newest schema; safe to repeat
version   print the revision of the database and the newest
check     exit with 0 if the database is at the newest schema, else with 1
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one action on the schema.

    :returns: 0 done; 1 the database did not answer, or ``check`` found another schema;
        2 the configuration is wrong
    """
    arguments = _parser().parse_args(argv)
    from ratekit import errors
    from ratekit.cmd import configuration, launch, startup

    startup.prepare_streams()
    try:
        startup.handle_interrupts()
        with configuration.translate_errors():
            files = [f"--config-file={path}" for path in arguments.config_file]
            url = configuration.load(PROG, files).database.connection
            actions = {"upgrade": _upgrade, "version": _print_version, "check": _check}
            return actions[arguments.action](url)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        return launch.INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage="%(prog)s [--config-file FILE] {upgrade,version,check}",
        description="Migrate the database to the schema of this release of ratekit.",
        epilog=_ACTIONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("upgrade", "version", "check"), help="see below")
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="configuration file; may be repeated; default: the file that RATEKIT_CONFIG "
        "names, or ratekit.conf in ~/.ratekit, ~, /etc/ratekit or /etc",
    )
    return parser


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
