"""ratekit-dbsync: brings the database to the schema that this ratekit needs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

PROG = "ratekit-dbsync"

_ACTIONS = """
upgrade   bring the database to the newest schema; doing it twice does no harm
version   print the database's revision and the newest
check     exit with 0 if the database is at the newest schema, else with 1
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do one thing with the schema.

    :returns: 0 done; 1 the database did not answer, or ``check`` found another schema;
        2 bad configuration
    """
    arguments = _parser().parse_args(argv)
    from ratekit import errors
    from ratekit.cmd import startup

    try:
        with startup.readable():
            files = [f"--config-file={path}" for path in arguments.config_file]
            url = startup.load_conf(PROG, files, rates=False).database.connection
            return _upgrade(url) if arguments.action == "upgrade" else _look(url, arguments.action)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage="%(prog)s [--config-file FILE] {upgrade,version,check}",
        description="Brings the database to the schema that this ratekit needs.",
        epilog=_ACTIONS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("upgrade", "version", "check"), help="see below")
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="configuration file, may be repeated; by default ratekit.conf where OpenStack "
        "services look for theirs, such as /etc/ratekit",
    )
    return parser


def _upgrade(url: str) -> int:
    from ratekit.storage import migrate

    before = migrate.current(url)
    migrate.upgrade(url)
    after = migrate.current(url)
    if before == after:
        print(f"nothing to do: the database is at revision {after}, the newest")
    else:
        print(f"upgraded the database from {_shown(before)} to revision {after}")
    return 0


def _look(url: str, action: str) -> int:
    from ratekit import errors
    from ratekit.cmd import startup
    from ratekit.storage import migrate

    found, newest = migrate.current(url), migrate.head()
    if action == "version":
        print(f"database: {_shown(found)}\nnewest: revision {newest}")
        return 0
    try:
        migrate.check(url)
    except errors.OperatorError as error:
        # Not a mistake in what was given, but the answer to what was asked.
        startup.complain(PROG, error)
        return startup.FAILED
    print(f"the database is at revision {newest}, the newest")
    return 0


def _shown(revision: str | None) -> str:
    if revision is None:
        return "no tables"
    before, arrow, after = revision.partition(">")
    if arrow:
        return f"an unfinished migration from {_shown(before or None)} to {_shown(after or None)}"
    return f"revision {revision}"
