"""The command line: ``python -m tests.stack up --dir DIR``, ``pages`` and ``down`` likewise."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from tests.stack import pages
from tests.stack.errors import StackError
from tests.stack.folder import Folder
from tests.stack.lifecycle import down, up
from tests.stack.stack import running


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0 success, 1 failure, 130 interrupted."""
    options = _parser().parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once)
    try:
        _COMMANDS[options.command](options)
    except (StackError, ValueError) as error:
        print(f"tests.stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"tests.stack: {options.command} was interrupted", file=sys.stderr)
        return 130
    return 0


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Interrupt the work, but not the clean-up after it."""
    for later in (signal.SIGINT, signal.SIGTERM):
        signal.signal(later, signal.SIG_IGN)
    raise KeyboardInterrupt


def _up(options: argparse.Namespace) -> None:
    start = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - start:4.0f} s  {line}", file=sys.stderr, flush=True)

    report("starting PostgreSQL, Keystone and Gnocchi")
    stack = up(
        options.dir,
        projects=options.projects,
        instances=options.instances,
        hours=options.hours,
        end=options.end,
        report=report,
    )
    report(f"ready: {stack.conf_path}")


def _pages(options: argparse.Namespace) -> None:
    stack = running(options.dir)
    folder = Folder.at(options.dir)
    print(pages.start(stack, options.project, folder, stack.conf_path))


def _down(options: argparse.Namespace) -> None:
    down(options.dir)


_COMMANDS = {"up": _up, "pages": _pages, "down": _down}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stack", description="A real Keystone, Gnocchi and PostgreSQL."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start a cloud in a folder and fill it")
    start.add_argument("--projects", type=int, default=4, help="ordinary projects (%(default)s)")
    start.add_argument("--instances", type=int, default=3, help="in each project (%(default)s)")
    start.add_argument("--hours", type=int, default=48, help="length of the data (%(default)s)")
    start.add_argument("--end", type=_instant, help="ISO 8601 end of the data (start of this hour)")
    serve = commands.add_parser("pages", help="serve ratekit's pages over the cloud in a folder")
    serve.add_argument("--project", default="demo-01", help="of a new user (%(default)s)")
    stop = commands.add_parser("down", help="stop the cloud in a folder, and its pages")
    for command in (start, serve, stop):
        command.add_argument("--dir", required=True, help="the cloud's folder")
    return parser


def _instant(text: str) -> datetime.datetime:
    """Read ISO 8601; without an offset it is UTC."""
    instant = datetime.datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)
