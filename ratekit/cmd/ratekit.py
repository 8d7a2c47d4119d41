"""ratekit: the operator's tool; its commands are entry points of ``ratekit.cli``."""

from __future__ import annotations

import argparse
import datetime
import difflib
import errno
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from cliff import app, commandmanager

from ratekit import errors, interfaces, redact
from ratekit.cmd import startup

PROG = "ratekit"
#: What a shell shows for a program that wrote to a closed pipe, or was sent Ctrl-C.
_BROKEN_PIPE = 141
_INTERRUPTED = 130
#: What writing to a full disk or a broken terminal comes to.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}


def main(argv: Sequence[str] | None = None, tool: Ratekit | None = None) -> int:
    """Run one command.

    :param tool: what runs it; one with the process's own clock and streams by default
    :returns: 0 done, 1 a back end did not answer, 2 something must be put right
    """
    if not sys.warnoptions:
        # Libraries warn programmers; an operator can do nothing about it.
        warnings.simplefilter("ignore")
    _open_missing_streams()
    try:
        code = _run(tool or Ratekit(), sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        print(f"{PROG}: the answer cannot be written: {error.strerror}", file=sys.stderr)
        code = startup.FAILED
    else:
        return code
    # The interpreter flushes once more when it ends, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _open_missing_streams() -> None:
    """Who closed a stream wants nothing read from it or written to it."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the process's life
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _run(tool: Ratekit, argv: Sequence[str]) -> int:
    try:
        return tool.run(list(argv))
    except SystemExit as end:  # help and wrong options end so
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return _INTERRUPTED


class Ratekit(app.App):
    """What all commands share: the configuration, the storage, the clock, and errors.

    :param clock: tells the present, aware, UTC
    :param stdin: where answers to questions come from; the process's own by default
    """

    NAME = PROG

    def __init__(
        self, clock: Callable[[], datetime.datetime] = startup.now, stdin: TextIO | None = None
    ) -> None:
        super().__init__(
            "Asks the rating daemon's database for states and costs, and changes price rules.",
            startup.version(),
            commandmanager.CommandManager("ratekit.cli"),
            stdin=stdin,
            deferred_help=True,
        )
        self.clock = clock

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Return the parser of the options that stand before a command."""
        parser = argparse.ArgumentParser(
            prog=self.NAME,
            usage="%(prog)s [options] COMMAND",
            description=description,
            add_help=False,
            # They are looked for everywhere, so they must not catch a command's options.
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="FILE",
            help="configuration file, may be repeated; by default ratekit.conf where "
            "OpenStack services look for theirs, such as /etc/ratekit",
        )
        parser.add_argument(
            "--debug", action="store_true", help="show tracebacks and what libraries log"
        )
        parser.add_argument(
            "-h", "--help", dest="deferred_help", action="store_true", help="show this help"
        )
        return parser

    def configure_logging(self) -> None:
        """Show what libraries log only to who debugs."""
        if self.options.debug:
            logging.basicConfig(stream=self.stderr, level=logging.DEBUG)
            redact.redact_logs()
        else:
            logging.getLogger().addHandler(logging.NullHandler())

    def load_conf(self) -> Any:
        """Return the configuration.

        :raises ratekit.errors.OperatorError: it cannot be used
        """
        return startup.load_conf(self.NAME, self._files(), rates=False)

    def has_conf(self) -> bool:
        """Tell whether there is any configuration file, readable or not."""
        from ratekit.conf.checking import source

        return any(source.given(self._files(), self.NAME))

    def open_storage(self, conf: Any) -> interfaces.Storage:
        """Return the storage that ``conf`` names.

        :raises ratekit.errors.OperatorError: it cannot be used
        """
        from ratekit import composition

        return composition.build_storage(conf)

    def _files(self) -> list[str]:
        return [f"--config-file={path}" for path in self.options.config_file]

    def note(self, text: str) -> None:
        """Tell something beside the output."""
        print(f"{self.NAME}: {text}", file=self.stderr)

    def interact(self) -> None:
        """Print help: without a command there is nothing to do."""
        sys.exit(self.run_subcommand(["help"]))

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command; errors become one line a mistake and an exit code."""
        try:
            with startup.readable():
                return self._run_command(argv)
        except errors.RatekitError as error:
            if self.options.debug:
                self.stderr.write(redact.redacted(traceback.format_exc()))
            return startup.complain(self.NAME, error)

    def _run_command(self, argv: list[str]) -> int:
        try:
            factory, name, rest = self.command_manager.find_command(argv)
        except ValueError:
            raise errors.OperatorError(self._unknown(argv)) from None
        if name == "help" and rest and not self._near(rest):
            raise errors.OperatorError(self._unknown(rest))
        command = factory(self, self.options, cmd_name=name)
        return command.run(command.get_parser(f"{self.NAME} {name}").parse_args(rest))

    def _unknown(self, argv: list[str]) -> str:
        if argv[0].startswith("-"):
            return f"unknown option {argv[0]}; see {self.NAME} --help"
        words = " ".join(word for word in argv[:2] if not word.startswith("-"))
        names = [name for name, _ in self.command_manager]
        near = self._near(argv) or difflib.get_close_matches(words, names)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"see {self.NAME} --help"
        return f"unknown command {words!r}; {hint}"

    def _near(self, argv: list[str]) -> list[str]:
        return sorted(name for name, _ in self.command_manager if name.startswith(argv[0]))
